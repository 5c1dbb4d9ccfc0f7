// SPDX-License-Identifier: MIT
#include "l7/cookies.h"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>

namespace lb {

namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Cuts off what stands before the next semicolon.
std::string_view take_part(std::string_view& rest) {
  size_t end = rest.find(';');
  std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return trim(part);
}

// "NAME=VALUE"; the value is empty where there is none.
std::pair<std::string_view, std::string_view> split(std::string_view part) {
  size_t equals = part.find('=');
  if (equals == std::string_view::npos) return {part, {}};
  return {trim(part.substr(0, equals)), trim(part.substr(equals + 1))};
}

// The date of HTTP, and the one with hyphens that cookies began with.
std::optional<int64_t> parse_date(std::string_view text) {
  std::string written(text);
  for (const char* format : {"%a, %d %b %Y %H:%M:%S GMT", "%a, %d-%b-%Y %H:%M:%S GMT"}) {
    struct tm parts {};
    const char* end = strptime(written.c_str(), format, &parts);
    if (end != nullptr && *end == '\0') return timegm(&parts);
  }
  return {};
}

bool is_cookie(std::string_view part, std::string_view name) {
  return part.size() > name.size() && part[name.size()] == '=' && part.starts_with(name);
}

// A field's value without the cookies of this name.
std::string without(std::string_view value, std::string_view name) {
  std::string kept;
  while (!value.empty()) {
    std::string_view part = take_part(value);
    if (part.empty() || is_cookie(part, name)) continue;
    if (!kept.empty()) kept += "; ";
    kept.append(part);
  }
  return kept;
}

}  // namespace

std::string_view first_cookie(const RequestHead& head, std::string_view name) {
  std::string_view found;
  for_each_cookie(head, name, [&](std::string_view value) {
    found = value;
    return false;
  });
  return found;
}

std::optional<std::string_view> only_cookie(const RequestHead& head, std::string_view name) {
  std::optional<std::string_view> found;
  bool several = false;
  for_each_cookie(head, name, [&](std::string_view value) {
    several = found.has_value();
    found = value;
    return !several;
  });
  if (several) return {};
  return found;
}

void remove_cookies(KeptRequest& request, std::string_view name) {
  auto& fields = request.head.fields;
  for (Field& field : fields) {
    bool may_hold = field.id == FieldId::cookie && field.value.find(name) != std::string_view::npos;
    if (may_hold) field.value = request.keep(without(field.value, name));
  }
  std::erase_if(fields, [](const Field& field) {
    return field.id == FieldId::cookie && field.value.empty();
  });
}

SetCookie parse_set_cookie(std::string_view field, int64_t now_s) {
  SetCookie cookie;
  std::tie(cookie.name, cookie.value) = split(take_part(field));
  std::optional<int64_t> max_age_s;
  std::optional<int64_t> expires_s;
  while (!field.empty()) {
    auto [name, value] = split(take_part(field));
    if (equal_nocase(name, "max-age")) {
      int64_t seconds = 0;
      auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
      if (error == std::errc{} && end == value.data() + value.size()) max_age_s = seconds;
    } else if (equal_nocase(name, "expires")) {
      expires_s = parse_date(value);
    }
  }
  // Max-Age goes before Expires.
  if (max_age_s) {
    cookie.ends = *max_age_s <= 0;
  } else if (expires_s) {
    cookie.ends = *expires_s <= now_s;
  }
  return cookie;
}

}  // namespace lb
