// SPDX-License-Identifier: MIT
#include "net/descriptor_reserve.h"

#include <cerrno>

namespace lb {

namespace {

thread_local const DescriptorReserve* t_left_alone = nullptr;

}  // namespace

LeavesReserve::LeavesReserve(const DescriptorReserve& reserve) {
  t_left_alone = &reserve;
}

LeavesReserve::~LeavesReserve() {
  t_left_alone = nullptr;
}

bool is_reserved(int fd) {
  return t_left_alone != nullptr && t_left_alone->has(fd);
}

Fd unless_reserved(Fd opened) {
  if (!is_reserved(opened.get())) return opened;
  opened.reset();
  errno = EMFILE;
  return opened;
}

}  // namespace lb
