// SPDX-License-Identifier: MIT
#include "admin/access.h"

#include <algorithm>
#include <cstdint>

#include "admin/answers.h"
#include "common/address.h"

namespace lb::admin {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// "host:80" without its port, which must be one; "[::1]:80" keeps the brackets. "": neither.
std::string_view without_port(std::string_view authority) {
  constexpr size_t kMostDigits = 5;
  size_t host_end = authority.starts_with('[') ? authority.find(']') : 0;
  if (host_end == std::string_view::npos) return {};
  size_t colon = authority.find(':', host_end);
  if (colon == std::string_view::npos) return authority;
  std::string_view port = authority.substr(colon + 1);
  bool is_port = !port.empty() && port.size() <= kMostDigits &&
                 std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  return is_port ? authority.substr(0, colon) : std::string_view();
}

HttpResponse unauthorized(std::string_view message) {
  HttpResponse response = failure(401, message);
  response.fields.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace

bool equal_in_constant_time(std::string_view secret, std::string_view offered) {
  size_t difference = secret.size() ^ offered.size();
  for (size_t i = 0; i < offered.size(); ++i) {
    char expected = secret.empty() ? '\0' : secret[i % secret.size()];
    difference |= static_cast<uint8_t>(expected ^ offered[i]);
  }
  return difference == 0;
}

Access::Access(const AdminConfig& config) : config_(config) {}

bool Access::is_own_host(std::string_view host) const {
  std::string name = lower(without_port(host));
  if (name.ends_with('.')) name.pop_back();
  bool has_brackets = name.starts_with('[') && name.ends_with(']');
  if (name == "localhost") return true;
  if (has_brackets || name.find(':') == std::string::npos) {
    auto ip = Address::parse_ip(name, 0);
    if (ip && ip->is_ipv6() == has_brackets) return true;
  }
  return std::any_of(config_.hosts.begin(), config_.hosts.end(),
                     [&](const std::string& own) { return lower(own) == name; });
}

// The scheme may be https although we speak http: something in front of us may end TLS.
bool Access::is_own_origin(std::string_view origin, std::string_view host) const {
  std::string written = lower(origin);
  std::string own = lower(host);
  auto is = [&](std::string_view scheme, std::string_view port) {
    if (!written.starts_with(scheme)) return false;
    std::string_view authority = std::string_view(written).substr(scheme.size());
    return authority == own || std::string(authority).append(port) == own ||
           authority == own + std::string(port);
  };
  return is("http://", ":80") || is("https://", ":443");
}

std::optional<HttpResponse> Access::check_origin(const HttpRequest& request) const {
  const std::string* host = request.field("Host");
  if (host == nullptr || !is_own_host(*host)) {
    return failure(403,
                   "the Host is no IP address, localhost or one of admin.hosts; browsers may use "
                   "no other name here");
  }
  for (const auto& [name, value] : request.fields) {
    std::string field = lower(name);
    if (field == "origin" && !is_own_origin(value, *host)) {
      return failure(403, "pages of other origins may not use this API");
    }
    if (field == "sec-fetch-site" && lower(value) == "cross-site") {
      return failure(403, "pages of other sites may not use this API");
    }
  }
  return {};
}

bool Access::has_token(const HttpRequest& request) const {
  constexpr std::string_view kScheme = "bearer ";
  auto fields = std::count_if(request.fields.begin(), request.fields.end(), [](const auto& field) {
    return lower(field.first) == "authorization";
  });
  if (fields != 1 || config_.token.empty()) return false;
  std::string_view value = *request.field("Authorization");
  if (lower(value.substr(0, kScheme.size())) != kScheme) return false;
  value.remove_prefix(kScheme.size());
  while (value.starts_with(' ')) value.remove_prefix(1);
  return equal_in_constant_time(config_.token, value);
}

std::optional<HttpResponse> Access::check_read(const HttpRequest& request) const {
  if (config_.address.is_unix() || config_.address.is_loopback() || has_token(request)) return {};
  return unauthorized("a valid token is needed: Authorization: Bearer TOKEN");
}

std::string_view Access::changes() const {
  if (config_.address.is_unix()) return "yes";
  return config_.token.empty() ? "no" : "token";
}

std::optional<HttpResponse> Access::check_change(const HttpRequest& request) const {
  if (config_.address.is_unix()) return {};
  if (config_.token.empty()) {
    return failure(403,
                   "changes over TCP need a token: set admin.token, or use a unix socket as "
                   "admin.address");
  }
  if (has_token(request)) return {};
  return unauthorized("changes need a valid token: Authorization: Bearer TOKEN");
}

}  // namespace lb::admin
