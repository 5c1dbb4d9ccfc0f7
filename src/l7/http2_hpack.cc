// SPDX-License-Identifier: MIT
#include "l7/http2_hpack.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <string>

namespace lb {

namespace {

constexpr size_t kTableSize = 4096;
// Fields that are encoded in one call.
constexpr size_t kBatch = 32;

uint8_t* bytes(std::string_view text) {
  return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));
}

std::string_view view(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}

// Names in lower case, as long as this lives; those that are already stay where they are.
class LowerNames {
 public:
  std::string_view of(std::string_view name) {
    if (std::none_of(name.begin(), name.end(), is_upper)) return name;
    if (name.size() > room_.size() - used_) {
      longer_.emplace_back(name);
      lower(longer_.back().data(), name.size());
      return longer_.back();
    }
    char* at = room_.data() + used_;
    std::copy(name.begin(), name.end(), at);
    lower(at, name.size());
    used_ += name.size();
    return {at, name.size()};
  }

 private:
  static void lower(char* at, size_t size) {
    for (size_t i = 0; i < size; ++i) {
      if (is_upper(at[i])) at[i] = static_cast<char>(at[i] + 32);
    }
  }

  std::array<char, 1024> room_;
  size_t used_ = 0;
  std::deque<std::string> longer_;
};

}  // namespace

HpackDecoder::HpackDecoder() {
  if (nghttp2_hd_inflate_new(&inflater_) != 0) std::abort();
}

HpackDecoder::~HpackDecoder() {
  nghttp2_hd_inflate_del(inflater_);
}

HpackDecoder::Step HpackDecoder::next(std::string_view& block, std::string_view& name,
                                      std::string_view& value) {
  while (true) {
    nghttp2_nv field;
    int flags = 0;
    ssize_t taken =
        nghttp2_hd_inflate_hd2(inflater_, &field, &flags, bytes(block), block.size(), 1);
    if (taken < 0) return Step::broken;
    block.remove_prefix(static_cast<size_t>(taken));
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      name = view(field.name, field.namelen);
      value = view(field.value, field.valuelen);
      return Step::field;
    }
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
      nghttp2_hd_inflate_end_headers(inflater_);
      return Step::end;
    }
    if (taken == 0) return Step::broken;
  }
}

HpackEncoder::HpackEncoder() {
  if (nghttp2_hd_deflate_new(&deflater_, kTableSize) != 0) std::abort();
}

HpackEncoder::~HpackEncoder() {
  nghttp2_hd_deflate_del(deflater_);
}

void HpackEncoder::set_table_size(size_t size) {
  nghttp2_hd_deflate_change_table_size(deflater_, std::min(size, kTableSize));
}

void HpackEncoder::encode(std::span<const Field> fields, std::string& out) {
  while (!fields.empty()) {
    std::array<nghttp2_nv, kBatch> batch;
    LowerNames names;
    size_t count = std::min(fields.size(), batch.size());
    for (size_t i = 0; i < count; ++i) {
      std::string_view name = names.of(fields[i].name);
      std::string_view value = fields[i].value;
      batch[i] = {bytes(name), bytes(value), name.size(), value.size(),
                  NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
    }
    size_t at = out.size();
    out.resize(at + nghttp2_hd_deflate_bound(deflater_, batch.data(), count));
    ssize_t size = nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<uint8_t*>(out.data() + at),
                                         out.size() - at, batch.data(), count);
    if (size < 0) std::abort();  // out of memory
    out.resize(at + static_cast<size_t>(size));
    fields = fields.subspan(count);
  }
}

}  // namespace lb
