// SPDX-License-Identifier: MIT
// The section tracing.
#include <algorithm>
#include <charconv>

#include "config/sections.h"

namespace lb::config {

namespace {

constexpr std::string_view kScheme = "http://";
constexpr std::string_view kTraces = "/v1/traces";
constexpr size_t kLongestUrl = 1'024;

Result<uint16_t> port_of(std::string_view text) {
  unsigned port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  bool good = error == std::errc() && end == text.data() + text.size() && port > 0 && port < 65'536;
  if (!good) return fail(quote(text) + " is no port from 1 to 65535");
  return static_cast<uint16_t>(port);
}

// The base address of a collector, to which OTLP adds the path of traces.
Result<TracingConfig> collector(std::string_view text) {
  if (text.starts_with("https://")) {
    return fail("speaks HTTP in clear only; put a collector beside lb, which may go on by TLS");
  }
  bool is_visible =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (!text.starts_with(kScheme) || !is_visible || text.size() > kLongestUrl) {
    return fail("write http://HOST:PORT, such as http://127.0.0.1:4318");
  }
  text.remove_prefix(kScheme.size());
  size_t slash = std::min(text.find('/'), text.size());
  std::string_view authority = text.substr(0, slash);
  std::string_view path = text.substr(slash);
  if (authority.find('@') != std::string_view::npos || path.find_first_of("?#") != path.npos) {
    return fail("takes no login, query or fragment");
  }
  TracingConfig config;
  size_t host_end =
      authority.starts_with('[') ? std::min(authority.find(']'), authority.size()) : 0;
  size_t colon = authority.find(':', host_end);
  if (colon != std::string_view::npos) {
    auto port = port_of(authority.substr(colon + 1));
    if (!port) return fail(port.error().message);
    config.port = *port;
  }
  std::string_view host = authority.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || host.find_first_of("[]") != host.npos) return fail("names no host");
  config.host = host;
  while (path.ends_with('/')) path.remove_suffix(1);
  config.path = path;
  if (!path.ends_with(kTraces)) config.path += kTraces;
  return config;
}

}  // namespace

void read_tracing(const Value& value, std::optional<TracingConfig>& tracing) {
  if (value.is_off()) return;
  Section section(value);
  TracingConfig config;
  auto otlp = section.require("otlp", "name the collector, such as otlp: http://127.0.0.1:4318");
  if (otlp) {
    auto read = otlp->as(Scalar<TracingConfig>{"the address of a collector", collector});
    if (read) config = std::move(*read);
  }
  section.read("sample", config.sample_percent, percentage());
  tracing = std::move(config);
}

}  // namespace lb::config
