// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace lb {

// What our reader takes the bytes of one connection for, in pieces of `piece` bytes: one line per
// request, "GET a.example /path?query|body", and last of all the status of a refusal, if there is
// one, or "..." where more bytes are needed. `forwarded`, if given, gets the requests as a server
// is sent them.
std::string read_requests(std::string_view bytes, size_t piece, std::string* forwarded = nullptr);

// One kind of attack or slip, and what it is taken for.
struct Smuggled {
  const char* what;
  std::string bytes;
  std::string seen;
};

}  // namespace lb
