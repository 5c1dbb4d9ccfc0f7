// SPDX-License-Identifier: MIT
#include "config/addresses.h"

#include <algorithm>
#include <charconv>

#include "common/log.h"
#include "config/problems.h"

namespace lb::config {

namespace {

constexpr std::string_view kListenForms =
    "write 0.0.0.0:80, [::]:80, :80 (IPv4 and IPv6) or unix:/run/lb/x.sock";
constexpr std::string_view kServerForms =
    "write 10.0.0.1:80, [2001:db8::1]:80, app.example:80 or unix:/run/app.sock";

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

Result<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  bool is_valid = is_number(text) && text.size() <= 5 &&
                  std::from_chars(text.data(), text.data() + text.size(), port).ec == std::errc();
  if (!is_valid || port == 0) {
    return fail(fmt::format("{} is not a port; ports are numbers from 1 to 65535", quote(text)));
  }
  return port;
}

Result<Address> parse_unix(std::string_view text) {
  if (!text.starts_with("unix:/")) {
    return fail(
        fmt::format("{}: the path of a unix socket is absolute: unix:/run/x.sock", quote(text)));
  }
  return Address::parse(text);
}

struct HostAndPort {
  std::string_view host;  // IPv6 in its brackets
  uint16_t port = 0;
};

// Splits at the last colon; `forms` ends the message when there is nothing to split.
Result<HostAndPort> split_port(std::string_view text, std::string_view forms) {
  if (size_t scheme = text.find("://"); scheme != std::string_view::npos) {
    return fail(fmt::format("{}: an address is written without '{}'", quote(text),
                            text.substr(0, std::min<size_t>(scheme, 20) + 3)));
  }
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.ends_with(']')) {
    return fail(fmt::format("{} has no port; {}", quote(text), forms));
  }
  std::string_view host = text.substr(0, colon);
  if (host.find(':') != std::string_view::npos && !host.starts_with('[')) {
    return fail(
        fmt::format("{}: an IPv6 address stands in brackets: [2001:db8::1]:80", quote(text)));
  }
  auto port = parse_port(text.substr(colon + 1));
  if (!port) return Unexpected{port.error()};
  return HostAndPort{host, *port};
}

bool is_label(std::string_view label) {
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') {
    return false;
  }
  return std::all_of(label.begin(), label.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '-' || c == '_'; });
}

// A host name (RFC 1123, with '_'). One whose last label is a number is a mistyped IPv4 address.
Status<> check_host(std::string_view host) {
  std::string_view rest = host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
  std::string_view last = rest.substr(rest.rfind('.') + 1);
  if (is_number(last)) return fail(fmt::format("{} is not an IPv4 address", quote(host)));
  bool is_valid = !rest.empty() && rest.size() <= 253;
  while (is_valid && !rest.empty()) {
    size_t dot = std::min(rest.find('.'), rest.size());
    is_valid = is_label(rest.substr(0, dot)) && dot + 1 != rest.size();
    rest.remove_prefix(std::min(dot + 1, rest.size()));
  }
  if (is_valid) return Done{};
  return fail(fmt::format("{} is neither an IP address nor a host name", quote(host)));
}

Result<ListenAddress> parse_listen(std::string_view text) {
  ListenAddress listen;
  listen.text = text;
  if (text.starts_with("unix:")) {
    auto address = parse_unix(text);
    if (!address) return Unexpected{address.error()};
    listen.address = *address;
    return listen;
  }
  if (is_number(text)) {
    return fail(fmt::format("{0} has no ':'; write ':{0}' in quotes for a port of every address",
                            text.substr(0, 60)));
  }
  auto parts = split_port(text, kListenForms);
  if (!parts) return Unexpected{parts.error()};
  if (parts->host.empty()) {
    listen.address = Address::any_v6(parts->port);
    listen.dual_stack = true;
    return listen;
  }
  auto address = Address::parse_ip(parts->host, parts->port);
  if (!address) {
    return fail(
        fmt::format("{} is no IP address of this machine; {}", quote(parts->host), kListenForms));
  }
  listen.address = *address;
  return listen;
}

Result<ServerAddress> parse_server(std::string_view text) {
  if (text.starts_with("unix:")) {
    auto address = parse_unix(text);
    if (!address) return Unexpected{address.error()};
    return ServerAddress{"", *address};
  }
  auto parts = split_port(text, kServerForms);
  if (!parts) return Unexpected{parts.error()};
  if (parts->host.empty()) {
    return fail(fmt::format("{} has no host; {}", quote(text), kServerForms));
  }
  auto address = Address::parse_ip(parts->host, parts->port);
  if (address && address->is_wildcard()) {
    return fail(fmt::format("{} is an address to listen on, not one to connect to", quote(text)));
  }
  if (address) return ServerAddress{"", *address};
  auto checked = check_host(parts->host);
  if (!checked) return Unexpected{checked.error()};
  return ServerAddress{std::string(parts->host), Address::any_v4(parts->port)};
}

Result<Address> parse_source(std::string_view text) {
  auto address = Address::parse_ip(text, 0);
  if (!address) {
    return fail(
        fmt::format("{} is not an IP address without a port, such as 10.0.0.5", quote(text)));
  }
  if (address->is_wildcard()) {
    return fail(
        fmt::format("{} is no address to connect from; name one of this machine's", quote(text)));
  }
  return address;
}

Result<std::string> parse_server_name(std::string_view text) {
  auto is_allowed = [](char c) {
    return is_letter_or_digit(c) || std::string_view("_-.:[]").find(c) != std::string_view::npos;
  };
  if (text.empty() || text.size() > kMaxName ||
      !std::all_of(text.begin(), text.end(), is_allowed)) {
    return fail(
        fmt::format("{} is no name; letters, digits and _ - . : [ ] are allowed, at most "
                    "{}",
                    quote(text), kMaxName));
  }
  return std::string(text);
}

}  // namespace

Scalar<ListenAddress> listen_address() {
  return {"an address to listen on, such as ':443' or 10.0.0.1:443", parse_listen};
}

Scalar<ServerAddress> server_address() {
  return {"an address with its port, such as 10.0.0.1:80", parse_server};
}

Scalar<Address> source_address() {
  return {"an IP address without a port", parse_source};
}

Scalar<Cidr> network() {
  return {"a network, such as 10.0.0.0/8", [](std::string_view text) { return Cidr::parse(text); }};
}

bool is_name(std::string_view text) {
  auto is_allowed = [](char c) {
    return is_letter_or_digit(c) || c == '_' || c == '-' || c == '.';
  };
  return !text.empty() && text.size() <= kMaxName &&
         std::all_of(text.begin(), text.end(), is_allowed);
}

Scalar<std::string> server_name() {
  return {"a name", parse_server_name};
}

}  // namespace lb::config
