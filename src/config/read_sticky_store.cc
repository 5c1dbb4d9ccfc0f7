// SPDX-License-Identifier: MIT
// The section pools.NAME.sticky.store.
#include <charconv>

#include "common/log.h"
#include "config/addresses.h"
#include "config/problems.h"
#include "config/sections.h"

namespace lb::config {

namespace {

constexpr std::string_view kForms =
    "write redis://127.0.0.1:6379/0 or rediss://user:password@redis.example:6380";
constexpr std::string_view kInClear = "redis://";
constexpr std::string_view kOverTls = "rediss://";
constexpr uint32_t kMostDatabase = 65'535;

// No part of it is told: it may hold a password.
Unexpected<Error> no_url(std::string_view why) {
  return fail(fmt::format("{}; {}", why, kForms));
}

std::optional<std::string> without_escapes(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3) return {};
    unsigned char byte = 0;
    auto parsed = std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + i + 3) return {};
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

Status<> take_login(std::string_view login, StickyStoreConfig& store) {
  size_t colon = login.find(':');
  if (colon == std::string_view::npos) return no_url("a user needs a password: user:password@");
  auto user = without_escapes(login.substr(0, colon));
  auto password = without_escapes(login.substr(colon + 1));
  if (!user || !password) return no_url("'%' is followed by two hexadecimal digits: %25");
  if (password->empty()) return no_url("the password is empty");
  store.user = std::move(*user);
  store.password = std::move(*password);
  return Done{};
}

Status<> take_database(std::string_view text, StickyStoreConfig& store) {
  if (text.empty()) return Done{};
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), store.database);
  bool good = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() &&
              store.database <= kMostDatabase;
  if (!good) return no_url("what follows the address is the number of a database");
  return Done{};
}

Status<> take_place(std::string text, StickyStoreConfig& store) {
  bool has_port = text.rfind(':') != std::string::npos && !text.ends_with(']');
  if (!has_port) text += fmt::format(":{}", store.port);
  auto address = server_address().parse(text);
  if (!address || !address->address.is_ip()) return no_url("its address is no host and port");
  store.port = address->address.port();
  store.host = address->host.empty() ? address->address.ip_string() : address->host;
  return Done{};
}

Result<StickyStoreConfig> parse_url(std::string_view url) {
  StickyStoreConfig store;
  if (url.starts_with(kOverTls)) {
    store.tls.emplace();
    url.remove_prefix(kOverTls.size());
  } else if (url.starts_with(kInClear)) {
    url.remove_prefix(kInClear.size());
  } else {
    return no_url("it does not begin with redis:// or rediss://");
  }
  if (size_t at = url.rfind('@'); at != std::string_view::npos) {
    if (auto taken = take_login(url.substr(0, at), store); !taken) return Unexpected{taken.error()};
    url.remove_prefix(at + 1);
  }
  if (size_t slash = url.find('/'); slash != std::string_view::npos) {
    auto taken = take_database(url.substr(slash + 1), store);
    if (!taken) return Unexpected{taken.error()};
    url = url.substr(0, slash);
  }
  if (auto taken = take_place(std::string(url), store); !taken) return Unexpected{taken.error()};
  return store;
}

Scalar<StickyStoreConfig> redis_url() {
  return {"the URL of a Redis server, such as redis://127.0.0.1:6379/0", parse_url};
}

}  // namespace

void read_sticky_store(const Value& value, Protocols here, const Draft& draft,
                       std::optional<StickyStoreConfig>& out) {
  if (value.is_off()) return;
  if (here.any_of(Protocol::udp) && !here.any_of(Protocol::tcp) && !here.any_of(Protocol::http)) {
    return value.error_at_key("does not apply: datagrams do not wait for a store");
  }
  StickyStoreConfig store;
  Section section(value);
  auto redis = section.require("redis", "where it is, such as redis://127.0.0.1:6379/0");
  if (auto url = redis ? redis->as(redis_url()) : std::nullopt) store = std::move(*url);
  section.read("prefix", store.prefix, text(0, 64));
  section.read("timeout", store.timeout, duration(milliseconds(1), milliseconds(1'000)));
  if (!store.tls) {
    section.applies_only_as_off({"tls"}, "for rediss:// only");
  } else if (auto tls = section.find("tls")) {
    store.tls = read_pool_tls(*tls, draft);
    if (!store.tls) tls->error("rediss:// is Redis over TLS; write redis:// for one without");
  }
  out = std::move(store);
}

}  // namespace lb::config
