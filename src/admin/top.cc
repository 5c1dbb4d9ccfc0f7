// SPDX-License-Identifier: MIT
#include "admin/top.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/commands.h"
#include "admin/table.h"
#include "common/clock.h"
#include "common/log.h"

namespace lb::admin {

namespace {

constexpr int kInterval_ms = 1'000;
constexpr size_t kDefaultRows = 1'000;
constexpr size_t kDefaultColumns = 200;

volatile std::sig_atomic_t ended_by_signal = 0;

// The other side may be another version: nothing is certain to be there.
const Json& member(const Json& object, std::string_view name) {
  static const Json nothing;
  auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() ? *found : nothing;
}

double number(const Json& object, std::string_view name) {
  const Json& value = member(object, name);
  return value.is_number() ? value.get<double>() : 0;
}

std::string text(const Json& object, std::string_view name) {
  const Json& value = member(object, name);
  return value.is_string() ? value.get<std::string>() : "-";
}

// "950", "12.3k", "4.5M"
std::string short_number(double value) {
  for (const char* unit : {"", "k", "M", "G", "T"}) {
    if (value < 999.5) return fmt::format("{:.{}f}{}", value, *unit == 0 ? 0 : 1, unit);
    value /= 1'000;
  }
  return fmt::format("{:.0f}P", value);
}

std::string milliseconds_of(const Json& object, std::string_view name) {
  const Json& value = member(object, name);
  return value.is_number() ? fmt::format("{:.1f}", value.get<double>()) : "-";
}

// What happened a second between two samples.
class Rates {
 public:
  Rates(const TopSample& now, const TopSample& before)
      : seconds_(std::max<double>(0.001, static_cast<double>(now.at_ms - before.at_ms) / 1'000)) {}

  std::string of(const Json& now, const Json& before, std::string_view name) const {
    // After a restart of the other side figures begin anew.
    double difference = std::max(0.0, number(now, name) - number(before, name));
    return short_number(before.is_null() ? 0 : difference / seconds_);
  }

 private:
  double seconds_;
};

const Json& find_server(const Json& servers, const std::string& id) {
  static const Json nothing;
  if (!servers.is_array()) return nothing;
  auto found = std::find_if(servers.begin(), servers.end(),
                            [&](const Json& one) { return text(one, "serverId") == id; });
  return found == servers.end() ? nothing : *found;
}

std::string listeners_table(const TopSample& now, const TopSample& before) {
  Rates rates(now, before);
  Table table({{"LISTENER"}, {"OPEN", true}, {"REQ/S", true}, {"IN B/S", true}, {"OUT B/S", true}});
  for (const auto& [name, listener] : member(now.metrics, "listeners").items()) {
    const Json& old = member(member(before.metrics, "listeners"), name);
    table.add({name, short_number(number(listener, "activeConnections")),
               rates.of(listener, old, "totalRequests"), rates.of(listener, old, "bytesIn"),
               rates.of(listener, old, "bytesOut")});
  }
  return table.to_string();
}

std::string servers_table(const TopSample& now, const TopSample& before) {
  Rates rates(now, before);
  Table table({{"SERVER"},
               {"STATUS"},
               {"WEIGHT", true},
               {"OPEN", true},
               {"REQ/S", true},
               {"FAIL/S", true},
               {"P50 MS", true},
               {"P99 MS", true}});
  if (!now.servers.is_array()) return "";
  for (const Json& server : now.servers) {
    const Json& old = find_server(before.servers, text(server, "serverId"));
    const Json& latency = member(server, "latency");
    table.add({text(server, "pool") + "/" + text(server, "name"), text(server, "status"),
               short_number(number(server, "weight")),
               short_number(number(server, "activeConnections")),
               rates.of(server, old, "totalRequests"), rates.of(server, old, "failures"),
               milliseconds_of(latency, "p50"), milliseconds_of(latency, "p99")});
  }
  return table.to_string();
}

// The terminal while lb top has it: another screen, keys at once, no cursor. As it was afterwards.
class Screen {
 public:
  Screen() {
    tcgetattr(STDIN_FILENO, &before_);
    termios raw = before_;
    raw.c_lflag &= static_cast<tcflag_t>(~(ICANON | ECHO));
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    struct sigaction action {};
    action.sa_handler = [](int) { ended_by_signal = 1; };
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    fmt::print("\x1b[?1049h\x1b[?25l");
  }
  ~Screen() {
    fmt::print("\x1b[?25h\x1b[?1049l");
    std::fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  static void show(const std::string& screen) {
    fmt::print("\x1b[H\x1b[2J{}", screen);
    std::fflush(stdout);
  }
  // Waits a moment; false when somebody wants to leave.
  static bool wait() {
    pollfd key{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (poll(&key, 1, kInterval_ms) <= 0) return ended_by_signal == 0;
    char pressed = 0;
    return read(STDIN_FILENO, &pressed, 1) == 1 && pressed != 'q' && pressed != 'Q';
  }
  static winsize size() {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return {24, 80, 0, 0};
    return size;
  }

 private:
  termios before_{};
};

Result<TopSample> take_sample(const AdminTarget& target) {
  auto metrics = call_api(target, "GET", "/api/metrics");
  if (!metrics) return Unexpected{metrics.error()};
  auto servers = call_api(target, "GET", "/api/metrics/servers");
  if (!servers) return Unexpected{servers.error()};
  return TopSample{std::move(*metrics), std::move(*servers), monotonic_ms()};
}

}  // namespace

std::string top_screen(const TopSample& now, const TopSample& before, size_t rows, size_t columns) {
  std::string all = fmt::format(
      "lb, up {}   {} open   {} requests/s   {} ms   {} servers usable, {} unhealthy\n\n",
      text(now.metrics, "uptime"), short_number(number(now.metrics, "activeConnections")),
      short_number(number(now.metrics, "requestsPerSecond")),
      milliseconds_of(now.metrics, "averageResponseTime"),
      short_number(number(now.metrics, "activeServers")),
      short_number(number(now.metrics, "unhealthyServers")));
  all += listeners_table(now, before) + "\n" + servers_table(now, before);
  std::string screen;
  for (size_t begin = 0, line = 0; begin < all.size() && line < rows; ++line) {
    size_t end = std::min(all.find('\n', begin), all.size());
    screen += all.substr(begin, std::min(end - begin, columns)) + "\n";
    begin = end + 1;
  }
  return screen;
}

Result<int> run_top(const AdminTarget& target, bool as_json) {
  auto before = take_sample(target);
  if (!before) return Unexpected{before.error()};
  if (as_json) {
    print_json({{"metrics", before->metrics}, {"servers", before->servers}});
    return 0;
  }
  if (isatty(STDOUT_FILENO) == 0 || isatty(STDIN_FILENO) == 0) {
    fmt::print("{}", top_screen(*before, *before, kDefaultRows, kDefaultColumns));
    return 0;
  }
  std::optional<Error> failure;
  {
    Screen screen;
    TopSample now = *before;
    do {
      winsize size = Screen::size();
      // The last line stays free, or the terminal would scroll.
      Screen::show(top_screen(now, *before, size.ws_row - 1U, size.ws_col));
      if (!Screen::wait()) break;
      auto next = take_sample(target);
      if (!next) {
        failure = next.error();
        break;
      }
      *before = std::exchange(now, std::move(*next));
    } while (true);
  }
  if (failure) return Unexpected{*failure};
  return 0;
}

}  // namespace lb::admin
