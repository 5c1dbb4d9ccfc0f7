// SPDX-License-Identifier: MIT
#include "health/printable.h"

namespace lb {

std::string printable(std::string_view text, size_t most) {
  constexpr std::string_view kSpace = " \t\r\n";
  size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  text = text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
  bool too_long = text.size() > most;
  std::string shown(text.substr(0, most));
  for (char& c : shown) {
    if (c < 0x20 || c > 0x7E) c = '.';
  }
  return too_long ? shown + "..." : shown;
}

}  // namespace lb
