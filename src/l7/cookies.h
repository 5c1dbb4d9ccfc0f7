// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "l7/http_message.h"

namespace lb {

// Cookies (RFC 6265) of requests and responses. Pure functions; any thread.

// Calls `visit(value)` for each of a request's cookies of this name, until it says false.
template <typename Visit>
void for_each_cookie(const RequestHead& head, std::string_view name, Visit visit) {
  for (const Field& field : head.fields) {
    if (field.id != FieldId::cookie) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      size_t end = rest.find(';');
      std::string_view one = rest.substr(0, end);
      while (one.starts_with(' ')) one.remove_prefix(1);
      while (one.ends_with(' ')) one.remove_suffix(1);
      bool is_it = one.size() > name.size() && one[name.size()] == '=' && one.starts_with(name);
      if (is_it && !visit(one.substr(name.size() + 1))) return;
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
  }
}

// The first of this name; empty where there is none.
std::string_view first_cookie(const RequestHead& head, std::string_view name);
// The only one of this name; nothing where there is none, or several are.
std::optional<std::string_view> only_cookie(const RequestHead& head, std::string_view name);
void remove_cookies(KeptRequest& request, std::string_view name);

// What a Set-Cookie field says.
struct SetCookie {
  std::string_view name;
  std::string_view value;
  bool ends = false;  // the client is to forget it
};
SetCookie parse_set_cookie(std::string_view field, int64_t now_s);

}  // namespace lb
