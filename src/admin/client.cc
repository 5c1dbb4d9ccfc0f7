// SPDX-License-Identifier: MIT
#include "admin/client.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <vector>

#include "admin/http_message.h"
#include "common/address.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "net/socket.h"
#include "net/stream.h"
#include "net/tls_context.h"

namespace lb::admin {

namespace {

// A listing of many thousand servers, and then some.
constexpr size_t kMostAnswerBytes = 256 << 20;

std::string reason(int error) {
  return std::strerror(error);  // NOLINT(concurrency-mt-unsafe): one thread
}

Result<std::vector<Address>> addresses_of(const std::string& text) {
  if (auto address = Address::parse(text)) return std::vector<Address>{*address};
  size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || text.starts_with("unix:")) {
    return fail(fmt::format(
        "'{}' is no admin address; write 127.0.0.1:9900 or unix:/run/lb/admin.sock", text));
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::string host = text.substr(0, colon);
  if (int error = getaddrinfo(host.c_str(), text.c_str() + colon + 1, &hints, &found); error != 0) {
    return fail(fmt::format("cannot resolve '{}': {}", text, gai_strerror(error)));
  }
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    addresses.push_back(Address::from_sockaddr(one->ai_addr, one->ai_addrlen));
  }
  return addresses;
}

// One exchange over a connection of its own, until `deadline_ms`.
class Exchange {
 public:
  explicit Exchange(int64_t deadline_ms) : deadline_ms_(deadline_ms) {}

  // 0 or an errno.
  int connect(const Address& address) {
    auto fd = connect_stream(address, nullptr);
    if (!fd) return fd.error();
    stream_ = Stream(std::move(*fd));
    if (!wait(POLLOUT)) return ETIMEDOUT;
    return address.is_unix() ? 0 : connect_state(stream_.fd());
  }

  // TLS from here on, with the server called `name`. "" or why there is none.
  std::string shake_hands(const TlsClientContext& tls, std::string_view name) {
    Fd fd = stream_.take_fd();
    auto session = tls.open(fd.get(), name);
    stream_ = Stream(std::move(fd), std::move(session));
    while (true) {
      Transfer step = stream_.handshake();
      if (step.outcome == Transfer::Outcome::done) return "";
      if (is_over(step)) {
        std::string why = stream_.reason();
        return why.empty() ? "the connection was closed" : why;
      }
      if (!wait_for(step)) return "no answer in time";
    }
  }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      Transfer sent = stream_.write(bytes);
      bytes.remove_prefix(sent.bytes);
      // It may have answered before it had read everything.
      if (is_over(sent)) return stream_.error() == EPIPE || stream_.error() == ECONNRESET;
      if (sent.outcome != Transfer::Outcome::done && !wait_for(sent)) return false;
    }
    return true;
  }

  // Everything until the other side ends, or speaks another protocol.
  bool receive(std::string& bytes) {
    std::vector<char> block(65'536);
    while (bytes.size() <= kMostAnswerBytes) {
      Transfer got = stream_.read(block);
      if (got.outcome == Transfer::Outcome::end) return true;
      if (got.outcome == Transfer::Outcome::done) {
        bytes.append(block.data(), got.bytes);
        bool is_http = bytes.starts_with(std::string_view("HTTP/").substr(0, bytes.size()));
        if (!is_http) return true;
      } else if (is_over(got)) {
        return !bytes.empty() && stream_.error() == ECONNRESET;
      } else if (!wait_for(got)) {
        return false;
      }
    }
    return false;
  }

 private:
  static bool is_over(const Transfer& step) {
    return step.outcome == Transfer::Outcome::failed || step.outcome == Transfer::Outcome::cut ||
           step.outcome == Transfer::Outcome::end;
  }
  bool wait_for(const Transfer& step) {
    return wait(step.outcome == Transfer::Outcome::wants_write ? POLLOUT : POLLIN);
  }
  bool wait(short what) {
    int64_t left_ms = deadline_ms_ - monotonic_ms();
    pollfd waiting{.fd = stream_.fd(), .events = what, .revents = 0};
    return left_ms > 0 && poll(&waiting, 1, static_cast<int>(left_ms)) == 1;
  }

  const int64_t deadline_ms_;
  Stream stream_;
};

// "" or what is wrong.
std::string shake_hands(const AdminTarget& target, Exchange& exchange) {
  auto context = TlsClientContext::make({.ca_file = target.ca_file});
  if (!context) return context.error().message;
  std::string_view host = std::string_view(target.address).substr(0, target.address.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return exchange.shake_hands(**context, host);
}

std::string request_text(const AdminTarget& target, std::string_view method, std::string_view path,
                         const Json& body) {
  bool is_unix = target.address.starts_with("unix:");
  std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", method,
                                 path, is_unix ? "localhost" : target.address);
  if (!target.token.empty()) text += fmt::format("Authorization: Bearer {}\r\n", target.token);
  std::string content = body.is_null() ? "" : to_text(body);
  if (!content.empty()) {
    text += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", content.size());
  }
  return text + "\r\n" + content;
}

// What is wrong with a configuration, as lb check tells it.
std::string problem_text(const Json& problem, const std::string& file) {
  if (!problem.is_object()) return "";
  return fmt::format("{}{}{}:{}: {}: {}", file, file.empty() ? "" : ":", problem.value("line", 1),
                     problem.value("column", 1), problem.value("path", ""),
                     problem.value("message", ""));
}

Result<Json> read_answer(const std::string& answer, const std::string& address) {
  size_t end = answer.find("\r\n\r\n");
  int status = 0;
  bool is_http = answer.starts_with("HTTP/1.1 ") && end != std::string::npos &&
                 std::from_chars(answer.data() + 9, answer.data() + 12, status).ec == std::errc();
  auto body = is_http ? parse_json(std::string_view(answer).substr(end + 4))
                      : Result<Json>(fail("no HTTP"));
  if (!body) return fail(fmt::format("{} does not answer as lb's admin address does", address));
  if (!body->is_object() || !body->contains("success")) return body;
  if (body->value("success", false)) return body->value("data", Json(nullptr));
  std::string error = body->value("error", "");
  if (auto errors = body->find("errors"); errors != body->end() && errors->is_array()) {
    std::string file = body->value("file", "");
    for (const Json& one : *errors) error += "\n" + problem_text(one, file);
  }
  if (status == 401) {
    return fail(error + "; give the token by --token-file FILE or in LB_ADMIN_TOKEN");
  }
  return fail(std::move(error));
}

}  // namespace

Result<Json> call_api(const AdminTarget& target, std::string_view method, std::string_view path,
                      const Json& body, int wait_ms) {
  auto addresses = addresses_of(target.address);
  if (!addresses) return Unexpected{addresses.error()};
  Exchange exchange(monotonic_ms() + wait_ms);
  int error = EADDRNOTAVAIL;
  for (const Address& address : *addresses) {
    error = exchange.connect(address);
    if (error == 0) break;
  }
  if (error == ECONNREFUSED || error == ENOENT) {
    return fail(
        fmt::format("nothing listens at {}; does lb run, and has its file an admin section with "
                    "this address? --admin or LB_ADMIN names another one",
                    target.address));
  }
  if (error != 0)
    return fail(fmt::format("cannot connect to {}: {}", target.address, reason(error)));
  if (target.tls) {
    std::string problem = shake_hands(target, exchange);
    if (!problem.empty()) return fail(fmt::format("{}: {}", target.address, problem));
  }
  std::string answer;
  bool is_done =
      exchange.send(request_text(target, method, path, body)) && exchange.receive(answer);
  if (!is_done) return fail(fmt::format("no answer from {} in time", target.address));
  return read_answer(answer, target.address);
}

}  // namespace lb::admin
