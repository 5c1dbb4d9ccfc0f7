// SPDX-License-Identifier: MIT
#include "pool/ejection.h"

#include <algorithm>

namespace lb {

std::chrono::milliseconds Ejection::begin(std::chrono::milliseconds eject_for, int64_t now_ms) {
  int64_t served_well = std::max<int64_t>(0, now_ms - until_ms_) / eject_for.count();
  number_ -= static_cast<uint32_t>(std::min<int64_t>(served_well, number_));
  number_ = std::min(number_ + 1, kLongest);
  auto lasts = number_ * eject_for;
  until_ms_ = now_ms + lasts.count();
  return lasts;
}

}  // namespace lb
