// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "l7/http2_frame.h"

struct nghttp2_hd_inflater;

namespace lb {

// A field's share of a header list (RFC 9113, 6.5.2).
constexpr size_t field_size(std::string_view name, std::string_view value) {
  return name.size() + value.size() + 32;
}

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

  // Takes all fields off a whole block, of `most` bytes by field_size() at most.
  template <typename Visit>
  Http2Fault read(std::string_view block, size_t most, Visit visit) {
    size_t size = 0;
    std::string_view name;
    std::string_view value;
    Step step;
    while ((step = next(block, name, value)) == Step::field) {
      size += field_size(name, value);
      if (size > most) return {Http2Error::enhance_your_calm, "a head that is far too large"};
      visit(name, value);
    }
    if (step == Step::end) return {};
    return {Http2Error::compression_error, "a header block that cannot be read"};
  }

 private:
  nghttp2_hd_inflater* inflater_ = nullptr;
};

}  // namespace lb
