// SPDX-License-Identifier: MIT
#include "net/client_hello.h"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace lb {

namespace {

constexpr uint8_t kHandshakeRecord = 22;
constexpr uint8_t kClientHello = 1;
constexpr uint16_t kServerName = 0;
constexpr uint8_t kHostName = 0;
constexpr size_t kRecordHeader = 5;
constexpr size_t kMessageHeader = 4;
constexpr size_t kMostInRecord = 16 * 1024;
constexpr size_t kMostInName = 255;

ClientHello invalid() {
  return {.state = ClientHello::State::invalid};
}

uint8_t byte_at(std::string_view bytes, size_t at) {
  return static_cast<uint8_t>(bytes[at]);
}

// Takes numbers and byte strings from the front; once something is missing, nothing is there.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  size_t number(size_t size) {
    size_t value = 0;
    for (char byte : take(size)) value = value << 8 | static_cast<uint8_t>(byte);
    return value;
  }
  std::string_view take(size_t size) {
    if (failed_ || rest_.size() < size) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  // Bytes behind their length, itself of `size` bytes.
  std::string_view vector(size_t size) { return take(number(size)); }

  bool failed() const { return failed_; }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

std::optional<std::string> parse_host_name(std::string_view text) {
  std::string name = comparable_name(text);
  if (name.empty() || name.size() > kMostInName) return {};
  // Anything that is visible: which names there are is the server's affair.
  bool is_visible =
      std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (!is_visible) return {};
  return name;
}

// The content of the extension server_name.
std::optional<std::string> parse_server_name(std::string_view content) {
  Reader extension(content);
  Reader list(extension.vector(2));
  if (extension.failed() || !extension.empty() || list.empty()) return {};
  std::optional<std::string> host;
  while (!list.empty()) {
    auto type = static_cast<uint8_t>(list.number(1));
    std::string_view name = list.vector(2);
    if (list.failed()) return {};
    if (type != kHostName) continue;
    if (host) return {};  // one name of a type
    host = parse_host_name(name);
    if (!host) return {};
  }
  return host;
}

ClientHello parse_message(std::string_view body) {
  Reader message(body);
  message.take(2 + 32);  // version, random
  size_t session_id = message.vector(1).size();
  size_t ciphers = message.vector(2).size();
  size_t compressions = message.vector(1).size();
  if (message.failed() || session_id > 32 || ciphers < 2 || ciphers % 2 != 0 || compressions < 1) {
    return invalid();
  }
  ClientHello hello{ClientHello::State::complete};
  if (message.empty()) return hello;  // extensions came with TLS 1.2
  Reader extensions(message.vector(2));
  if (message.failed() || !message.empty()) return invalid();
  bool has_name = false;
  while (!extensions.empty()) {
    size_t type = extensions.number(2);
    std::string_view content = extensions.vector(2);
    if (extensions.failed()) return invalid();
    if (type != kServerName) continue;
    auto name = parse_server_name(content);
    if (has_name || !name) return invalid();
    has_name = true;
    hello.server_name = std::move(*name);
  }
  return hello;
}

}  // namespace

std::string comparable_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string result(name);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

ClientHello parse_client_hello(std::string_view bytes) {
  ClientHello incomplete{.state = bytes.size() < kMaxClientHello ? ClientHello::State::incomplete
                                                                 : ClientHello::State::invalid};
  std::string message;  // of several records
  std::string_view left = bytes.substr(0, kMaxClientHello);
  bool is_first = true;
  while (!left.empty()) {
    if (byte_at(left, 0) != kHandshakeRecord) {
      return is_first ? ClientHello{ClientHello::State::not_tls} : invalid();
    }
    if (left.size() > 1 && byte_at(left, 1) != 3) return invalid();
    if (left.size() < kRecordHeader) return incomplete;
    size_t size = size_t{byte_at(left, 3)} << 8 | byte_at(left, 4);
    if (size == 0 || size > kMostInRecord) return invalid();
    message += left.substr(kRecordHeader, size);
    if (!message.empty() && byte_at(message, 0) != kClientHello) return invalid();
    if (message.size() >= kMessageHeader) {
      Reader header(std::string_view(message).substr(1));
      size_t body = header.number(3);
      if (body + kMessageHeader > kMaxClientHello) return invalid();
      if (message.size() >= kMessageHeader + body) {
        return parse_message(std::string_view(message).substr(kMessageHeader, body));
      }
    }
    left.remove_prefix(std::min(kRecordHeader + size, left.size()));
    is_first = false;
  }
  return incomplete;
}

}  // namespace lb
