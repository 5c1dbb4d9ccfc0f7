// SPDX-License-Identifier: MIT
#include "l7/http2_hpack.h"

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace lb {

namespace {

uint8_t* bytes(std::string_view text) {
  return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));
}

std::string_view view(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

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

}  // namespace lb
