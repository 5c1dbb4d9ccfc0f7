// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/format.h>

#include <iterator>
#include <string_view>

namespace lb {

// Text from outside made safe for one line of a log: it cannot forge a line or a field of its own,
// nor send sequences to the terminal that shows it. `Out` is a std::string or a buffer of fmt.

// Whether the UTF-8 character that `text` begins with, of `length` bytes, is a control character or
// ends a line for some reader: U+0000–001F, U+007F–009F, U+2028, U+2029.
bool is_control(std::string_view text, size_t length);

// The length of the UTF-8 character (RFC 3629, 4) that `text` begins with; 0 = it begins with none.
size_t utf8_length(std::string_view text);

// The number of the character of one to three bytes that `text` begins with.
unsigned code_point(std::string_view text, size_t length);

// Bytes that stand for themselves in every kind of quotes.
inline bool is_plain_text(char c) {
  return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

// Copies `text` to `out`, but for what is not plain: `escape(rest)` writes what stands for the
// first bytes of the rest, and returns how many they are.
template <typename Out, typename Escape>
void append_escaped(std::string_view text, Out& out, const Escape& escape) {
  while (!text.empty()) {
    size_t plain = 0;
    while (plain < text.size() && is_plain_text(text[plain])) ++plain;
    out.append(text.data(), text.data() + plain);
    text.remove_prefix(plain);
    if (!text.empty()) text.remove_prefix(escape(text));
  }
}

// For between the quotes of a JSON string (RFC 8259, 7). Bytes that are no UTF-8 would make the
// whole line unreadable to a JSON reader: each becomes U+FFFD. Control characters become \u009b and
// the like.
template <typename Out>
void append_json_text(std::string_view text, Out& out) {
  append_escaped(text, out, [&out](std::string_view rest) {
    size_t length = utf8_length(rest);
    if (length == 0) {
      fmt::format_to(std::back_inserter(out), "\\ufffd");
      return size_t{1};
    }
    if (is_control(rest, length)) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", code_point(rest, length));
    } else {
      if (rest[0] == '"' || rest[0] == '\\') out.push_back('\\');
      out.append(rest.data(), rest.data() + length);
    }
    return length;
  });
}

// For a line without quotes: control characters become \x1b and the like.
template <typename Out>
void append_plain_text(std::string_view text, Out& out) {
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out.push_back(c);
    } else {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
    }
  }
}

// For between double quotes, as readers of web servers' logs know it: what is not plain becomes
// \x22 and the like.
template <typename Out>
void append_quoted_text(std::string_view text, Out& out) {
  append_escaped(text, out, [&out](std::string_view rest) {
    fmt::format_to(std::back_inserter(out), "\\x{:02X}", static_cast<unsigned char>(rest[0]));
    return size_t{1};
  });
}

}  // namespace lb
