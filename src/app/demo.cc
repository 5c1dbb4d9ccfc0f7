// SPDX-License-Identifier: MIT
#include "app/demo.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/demo_behavior.h"
#include "app/demo_load.h"
#include "app/demo_screen.h"
#include "app/demo_server.h"
#include "app/process.h"
#include "common/clock.h"
#include "common/log.h"
#include "net/socket.h"

namespace lb {

namespace {

constexpr uint16_t kFirstPort = 8'000;
constexpr uint16_t kLastPort = 8'999;
constexpr uint16_t kFirstAdminPort = 9'900;
constexpr uint16_t kLastAdminPort = 9'999;
constexpr const char* kToken = "only-for-the-demo";  // the admin address is a loopback one
constexpr std::string_view kPool = "demo";           // what is shown
constexpr const char* kNames[] = {"red", "green", "blue"};
constexpr int kUsageError = 2;
constexpr int64_t kSecond_ms = 1'000;
constexpr milliseconds kLook{10};
constexpr int64_t kMostLooks = 300;
constexpr int64_t kOutagePace_ms = 5'000;  // stopped, started, stopped, ...

using DemoServers = std::vector<std::unique_ptr<DemoServer>>;

Address loopback(uint16_t port) {
  return *Address::parse_ip("127.0.0.1", port);
}

// Where the dashboard is, chosen once; the demo goes without one where no port is free.
const std::optional<Address>& admin_address(const Address& balancer) {
  static const std::optional<Address> chosen = [&]() -> std::optional<Address> {
    for (int port = kFirstAdminPort; port <= kLastAdminPort; ++port) {
      Address address = loopback(static_cast<uint16_t>(port));
      if (port != balancer.port() && probe_free(address, false)) return address;
    }
    return {};
  }();
  return chosen;
}

std::string admin_text(const Address& balancer) {
  const auto& address = admin_address(balancer);
  if (!address) return "";
  return fmt::format("admin: {{address: \"{}\", token: {}}}\n", address->to_string(), kToken);
}

Result<Address> choose_address(const DemoOptions& options) {
  uint16_t first = options.port.value_or(kFirstPort);
  uint16_t last = options.port.value_or(kLastPort);
  for (int port = first; port <= last; ++port) {
    Address address = loopback(static_cast<uint16_t>(port));
    auto free = probe_free(address, false);
    if (free) return address;
    if (options.port) return fail(free.error().message + "; choose another --port");
  }
  return fail(fmt::format("no port of 127.0.0.1 from {} to {} is free; choose another with --port",
                          kFirstPort, kLastPort));
}

// Where the shop is: the next free port, if there is one. The dashboard takes the first of its own.
Result<Address> choose_shop(const Address& balancer) {
  int first = balancer.port() + 1;
  for (int port = first; port <= std::min(first + 200, 65'535); ++port) {
    if (port >= kFirstAdminPort && port <= kLastAdminPort) continue;
    Address address = loopback(static_cast<uint16_t>(port));
    if (probe_free(address, false)) return address;
  }
  return fail(fmt::format("no port of 127.0.0.1 behind {} is free; choose another --port",
                          balancer.port()));
}

Result<DemoServers> start_servers(const DemoBehavior& behavior) {
  DemoServers servers;
  auto pictures = std::make_shared<DemoPictures>();
  for (const char* name : kNames) {
    servers.push_back(std::make_unique<DemoServer>(name, behavior, pictures));
    auto started = servers.back()->start(loopback(0));
    if (!started) return fail(started.error().message);
  }
  return servers;
}

// Carts are where their user is, pictures go to whoever has the least to do.
std::string config_text(const Address& balancer, const Address& shop, const DemoServers& servers) {
  std::string list;
  for (const auto& server : servers) {
    list += fmt::format("      - {{name: {}, address: \"{}\"}}\n", server->name(),
                        server->address().to_string());
  }
  std::string text = fmt::format(
      "listeners:\n"
      "  demo: {{address: \"{0}\", protocol: tcp, pool: demo}}\n"
      "  shop:\n"
      "    address: \"{1}\"\n"
      "    protocol: http\n"
      "    routes:\n"
      "      - {{match: {{path: /pictures/*}}, pool: shop, balance: least_load, sticky: off}}\n"
      "      - {{pool: shop}}\n"
      "pools:\n"
      "  demo:\n"
      "    health_check: {{interval: 500ms, fast_interval: 200ms}}\n"
      "    servers:\n{2}"
      "  shop:\n"
      "    health_check: {{type: http, path: /health, interval: 500ms, fast_interval: 200ms}}\n"
      "    sticky: {{by: header, header: X-User}}\n"
      "    servers:\n{2}",
      balancer.to_string(), shop.to_string(), list);
  // The state of the servers is on the screen; the log is for what is not.
  return text + "runtime: {drain_timeout: 1s, max_connections: 3000}\nlog: {level: warning}\n" +
         admin_text(balancer);
}

std::string reset_text(uint32_t connections) {
  if (connections == 0) return "";
  if (connections == 1) return ", its open connection is reset";
  return fmt::format(", its {} open connections are reset", connections);
}

// Shows what the balancer, its servers and its clients do, and stops and starts servers. Control
// thread.
class Demo {
 public:
  Demo(Process& process, DemoServers& servers, DemoLoad& load, const Address& balancer,
       const Address& shop, const DemoOptions& options)
      : process_(process),
        servers_(servers),
        load_(load),
        balancer_(balancer),
        shop_(shop),
        options_(options),
        second_(process.loop(), [this] { tick(); }),
        outage_(process.loop(), [this] { change_a_server(); }),
        look_(process.loop(), [this] { begin_when_healthy(); }) {
    process.on_ready([this] {
      introduce();
      begin_when_healthy();
    });
    process.on_terminate([this] { finish(); });
  }

  // After the balancer has ended.
  void farewell();

 private:
  void introduce();
  void begin_when_healthy();
  void begin();
  void finish();
  void tick();
  void schedule(Timer& timer, int64_t at_ms);
  void change_a_server();
  DemoView view(int64_t elapsed_ms);
  int64_t elapsed_ms() const { return began_ms_ > 0 ? monotonic_ms() - began_ms_ : 0; }

  Process& process_;
  DemoServers& servers_;
  DemoLoad& load_;
  const Address balancer_;
  const Address shop_;
  const DemoOptions options_;
  DemoScreen screen_;
  Timer second_;
  Timer outage_;
  Timer look_;
  int64_t looks_ = 0;
  int64_t began_ms_ = 0;  // 0 = not yet
  int64_t ended_ms_ = 0;  // elapsed
  int64_t shown_ms_ = 0;  // elapsed, when the last line was shown
  int64_t ticks_ = 0;
  int64_t changes_ = 0;               // odd: a server is stopped
  int64_t stopped_ms_ = 0;            // elapsed, when a server was stopped last
  bool failed_without_stop_ = false;  // a request, at any time
  DemoFigures total_;
  std::map<std::string, uint64_t> served_;  // connections by server, as of the last line
};

void Demo::introduce() {
  std::string address = balancer_.to_string();
  if (!options_.port && balancer_.port() != kFirstPort) {
    screen_.say(
        fmt::format("Port {} is taken; port {} is used instead.\n", kFirstPort, balancer_.port()));
  }
  std::string text = fmt::format("  {:<9} {:<16} passes each connection on to one of these:\n",
                                 "balancer", address);
  for (const auto& server : servers_) {
    text += fmt::format("  {:<9} {:<16} answers \"{}: LINE\" to each line\n", server->name(),
                        server->address().to_string(), server->name());
  }
  text += fmt::format("  {:<9} {:<16} {} connections a second, one line each; {} more stay open\n",
                      "clients", "", DemoLoad::kPerSecond, DemoLoad::kLasting);
  text +=
      fmt::format("\n  try: bash -c 'exec 3<>/dev/tcp/127.0.0.1/{}; echo hi >&3; head -1 <&3'\n",
                  balancer_.port());
  text += fmt::format("   or: nc 127.0.0.1 {}\n", balancer_.port());
  text += fmt::format(
      "\n  The same servers over http, where each user has a cart on one of them:\n"
      "  try: curl -H 'X-User: ann' -d 'a pear' http://{0}/cart\n"
      "   or: curl -T picture.jpg http://{0}/pictures/1\n",
      shop_.to_string());
  screen_.say(text);
  screen_.say(
      "Every 10 s one server is stopped for 5 s; only what is open to it is lost.\n"
      "Ctrl-C ends the demo.\n");
  if (const auto& admin = admin_address(balancer_)) {
    screen_.say(fmt::format("Dashboard: http://{}/lb/stats (changes ask for the token {})\n",
                            admin->to_string(), kToken));
  }
}

// Servers whose check has passed come before those not checked yet: clients that began at once
// would all meet the first. The checks take a moment, unless the machine is in trouble.
void Demo::begin_when_healthy() {
  bool all = true;
  process_.registry().for_each([&](const Server& server, const PoolConfig&) {
    all = all && process_.registry().status(server) == ServerStatus::healthy;
  });
  if (all || ++looks_ > kMostLooks) return begin();
  look_.start(kLook);
}

void Demo::begin() {
  began_ms_ = monotonic_ms();
  load_.start();
  schedule(second_, kSecond_ms);
  schedule(outage_, 2 * kOutagePace_ms);
}

// By the clock of the demo, so that lateness does not add up.
void Demo::schedule(Timer& timer, int64_t at_ms) {
  timer.start(milliseconds(std::max<int64_t>(0, at_ms - elapsed_ms())));
}

void Demo::finish() {
  ended_ms_ = elapsed_ms();
  load_.finish();
  look_.stop();
  second_.stop();
  outage_.stop();
}

void Demo::tick() {
  ++ticks_;
  screen_.show(view(elapsed_ms()));
  bool over = options_.seconds && ticks_ >= int64_t{*options_.seconds};
  if (over || !screen_.works()) return process_.terminate();
  schedule(second_, (ticks_ + 1) * kSecond_ms);
}

void Demo::change_a_server() {
  DemoServer& server = *servers_[static_cast<size_t>(changes_ / 2) % servers_.size()];
  std::string when = clock_text(elapsed_ms());
  if (changes_ % 2 == 0) {
    screen_.say(fmt::format("{:>7}   {} is stopped: its port is closed{}; the others take over",
                            when, server.name(), reset_text(server.connections())));
    server.close();
    stopped_ms_ = elapsed_ms();
  } else if (auto opened = server.open(); opened) {
    screen_.say(
        fmt::format("{:>7}   {} is started again: it gets connections as soon as it has "
                    "passed two checks",
                    when, server.name()));
  } else {
    screen_.say(fmt::format("{:>7}   {} cannot be started again: {}", when, server.name(),
                            opened.error().message));
  }
  ++changes_;
  schedule(outage_, (changes_ + 2) * kOutagePace_ms);
}

DemoView Demo::view(int64_t elapsed_ms) {
  DemoFigures figures = load_.take();
  total_.add(figures);
  bool just_stopped = changes_ > 0 && elapsed_ms - stopped_ms_ < 2 * kSecond_ms;
  if (figures.failed > 0 && !just_stopped) failed_without_stop_ = true;
  int64_t interval_ms = std::max<int64_t>(1, elapsed_ms - shown_ms_);
  shown_ms_ = elapsed_ms;
  uint64_t requests = figures.answered + figures.failed;
  DemoView view{.elapsed_ms = elapsed_ms,
                .per_second = static_cast<uint32_t>(static_cast<int64_t>(requests) * kSecond_ms /
                                                    interval_ms),
                .open = 0,
                .failed = total_.failed,
                .p50_us = figures.latencies.percentile_us(50),
                .p99_us = figures.latencies.percentile_us(99),
                .servers = {}};
  std::vector<uint64_t> fresh;
  uint64_t all_fresh = 0;
  process_.registry().for_each([&](const Server& server, const PoolConfig& pool) {
    if (pool.name != kPool) return;
    uint64_t connections = 0;
    for (const ServerCell& cell : server.cells()) {
      connections += cell.connections.load(std::memory_order_relaxed);
    }
    fresh.push_back(connections - std::exchange(served_[server.name()], connections));
    all_fresh += fresh.back();
    view.open += server.active().load(std::memory_order_relaxed);
    view.servers.push_back(
        {server.name(), server.address().to_string(), process_.registry().status(server), 0});
  });
  for (size_t i = 0; all_fresh > 0 && i < fresh.size(); ++i) {
    view.servers[i].share_percent =
        static_cast<uint32_t>((fresh[i] * 100 + all_fresh / 2) / all_fresh);
  }
  return view;
}

void Demo::farewell() {
  view(ended_ms_);  // brings the totals up to date
  std::string text =
      fmt::format("\nThe demo ran for {}: {} requests answered, {} failed, p50 {}, p99 {}.\n",
                  clock_text(ended_ms_), total_.answered, total_.failed,
                  milliseconds_text(total_.latencies.percentile_us(50)),
                  milliseconds_text(total_.latencies.percentile_us(99)));
  if (total_.failed > 0 && !failed_without_stop_) {
    text += "What failed was under way to a server at the moment that it was stopped.\n";
  }
  if (changes_ > 0) {
    text += fmt::format(
        "{} long-lived connections were cut when their server was stopped, and connected anew.\n",
        total_.cut);
  }
  text += "Connections served:";
  for (const auto& server : servers_) {
    text += fmt::format(" {} {}{}", server->name(), served_[server->name()],
                        server == servers_.back() ? "." : ",");
  }
  screen_.close(text);
}

int refuse(const std::string& message, int code = 1) {
  fmt::print(stderr, "lb demo: {}\n", message);
  return code;
}

// The control thread alone reads the environment, and nothing writes it.
const char* variable(const char* name) {
  return std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
}

int run_server(const DemoOptions& options, const DemoBehavior& behavior) {
  auto address = Address::parse(options.serve);
  if (!address || !address->is_ip()) {
    return refuse(fmt::format("--serve: '{}' is no address; write 127.0.0.1:9001", options.serve),
                  kUsageError);
  }
  const char* id = variable("SERVER_ID");
  DemoServer server(id != nullptr && *id != '\0' ? id : options.serve, behavior,
                    std::make_shared<DemoPictures>());
  EventLoop loop;
  auto end = [&loop] { loop.stop(); };
  SignalEvent interrupt(loop, SIGINT, end);
  SignalEvent terminate(loop, SIGTERM, end);
  Timer over(loop, end);
  if (options.seconds) over.start(milliseconds(int64_t{*options.seconds} * kSecond_ms));
  if (auto started = server.start(*address); !started) return refuse(started.error().message);
  fmt::print("{} serves on {}\n", server.name(), server.address().to_string());
  std::fflush(stdout);
  loop.run();
  return 0;
}

}  // namespace

int run_demo(const DemoOptions& options) {
  auto behavior = demo_behavior(variable);
  if (!behavior) return refuse(behavior.error().message, kUsageError);
  if (!options.serve.empty()) return run_server(options, *behavior);
  auto address = choose_address(options);
  if (!address) return refuse(address.error().message);
  auto shop = choose_shop(*address);
  if (!shop) return refuse(shop.error().message);
  auto servers = start_servers(*behavior);
  if (!servers) return refuse(servers.error().message);
  auto load_config = [text = config_text(*address, *shop, *servers)] {
    return load_config_text(text, ".");
  };
  Process process({"lb demo", load_config}, *load_config());
  DemoLoad clients(*address);
  Demo demo(process, *servers, clients, *address, *shop, options);
  int code = process.run();
  if (code == 0) demo.farewell();
  return code;
}

}  // namespace lb
