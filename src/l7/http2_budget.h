// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>

namespace lb {

// What one HTTP/2 connection may do that costs us more than it costs the client: tokens that come
// back with time, and with work that was of use. One thread.
class Http2Budget {
 public:
  struct Size {
    int64_t most;
    int64_t per_second;
  };

  Http2Budget(Size size, int64_t now_ms) : size_(size), left_(size.most), at_ms_(now_ms) {}

  // False: there was not enough left.
  bool spend(int64_t tokens, int64_t now_ms) {
    int64_t grown = (now_ms - at_ms_) * size_.per_second / 1000;
    if (grown > 0) {
      at_ms_ = now_ms;
      earn(grown);
    }
    left_ -= tokens;
    return left_ >= 0;
  }
  void earn(int64_t tokens) { left_ = std::min(size_.most, left_ + tokens); }

 private:
  const Size size_;
  int64_t left_;
  int64_t at_ms_;
};

}  // namespace lb
