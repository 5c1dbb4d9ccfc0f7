// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "l7/http_message.h"

struct nghttp2_hd_deflater;
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

// Writes them; likewise. One thread.
class HpackEncoder {
 public:
  HpackEncoder();
  ~HpackEncoder();
  HpackEncoder(const HpackEncoder&) = delete;
  HpackEncoder& operator=(const HpackEncoder&) = delete;

  // What the peer keeps at most.
  void set_table_size(size_t size);
  // Appends fields to a block, their names in lower case.
  void encode(std::span<const Field> fields, std::string& out);

 private:
  nghttp2_hd_deflater* deflater_ = nullptr;
};

}  // namespace lb
