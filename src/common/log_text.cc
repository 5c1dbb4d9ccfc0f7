// SPDX-License-Identifier: MIT
#include "common/log_text.h"

namespace lb {

size_t utf8_length(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  auto continues = [&](size_t i, unsigned char from = 0x80, unsigned char to = 0xbf) {
    return i < text.size() && byte(i) >= from && byte(i) <= to;
  };
  unsigned char c = byte(0);
  if (c < 0x80) return 1;
  if (c >= 0xc2 && c <= 0xdf) return continues(1) ? 2 : 0;
  if (c >= 0xe0 && c <= 0xef) {
    // Neither longer than needed nor a surrogate.
    bool second = continues(1, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf);
    return second && continues(2) ? 3 : 0;
  }
  if (c >= 0xf0 && c <= 0xf4) {
    bool second = continues(1, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf);
    return second && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

unsigned code_point(std::string_view text, size_t length) {
  auto bits = [&](size_t i, unsigned mask) { return static_cast<unsigned char>(text[i]) & mask; };
  if (length == 1) return bits(0, 0x7f);
  if (length == 2) return bits(0, 0x1f) << 6 | bits(1, 0x3f);
  return bits(0, 0x0f) << 12 | bits(1, 0x3f) << 6 | bits(2, 0x3f);
}

bool is_control(std::string_view text, size_t length) {
  if (length > 3) return false;
  unsigned code = code_point(text, length);
  return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x2028 || code == 0x2029;
}

}  // namespace lb
