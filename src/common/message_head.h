// SPDX-License-Identifier: MIT
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace lb {

// Messages between processes of this program begin with a head of plain data, in the machine's own
// byte order.

template <typename Head>
void append_head(std::string& bytes, const Head& head) {
  static_assert(std::has_unique_object_representations_v<Head>, "padding would tell of memory");
  bytes.append(reinterpret_cast<const char*>(&head), sizeof(head));
}

// Takes the head off the bytes. False where they are too few.
template <typename Head>
bool take_head(std::string_view& bytes, Head& head) {
  static_assert(std::has_unique_object_representations_v<Head>);
  if (bytes.size() < sizeof(head)) return false;
  std::memcpy(&head, bytes.data(), sizeof(head));
  bytes.remove_prefix(sizeof(head));
  return true;
}

}  // namespace lb
