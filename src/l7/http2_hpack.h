// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

struct nghttp2_hd_inflater;

namespace lb {

// Reads header blocks (RFC 7541) of one connection. Remembers what it saw, at most 4 KiB of it, so
// a block that is skipped breaks all that follow. One thread.
class HpackDecoder {
 public:
  enum class Step : uint8_t { field, end, broken };

  HpackDecoder();
  ~HpackDecoder();
  HpackDecoder(const HpackDecoder&) = delete;
  HpackDecoder& operator=(const HpackDecoder&) = delete;

  // Takes the next field off a whole block. The views hold until the next call.
  Step next(std::string_view& block, std::string_view& name, std::string_view& value);

 private:
  nghttp2_hd_inflater* inflater_ = nullptr;
};

}  // namespace lb
