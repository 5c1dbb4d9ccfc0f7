// SPDX-License-Identifier: MIT
#include "net/late_resets.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <utility>

#include "net/socket.h"

namespace lb {

namespace {

bool has_unacknowledged(int fd) {
  int bytes = 0;
  return ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0;
}

}  // namespace

LateResets::LateResets(EventLoop& loop) : loop_(loop), timer_(loop, [this] { look(); }) {}

bool LateResets::close(Fd fd, const std::vector<ConnectionLimit*>& limits) {
  if (!fd) return false;
  set_reset_on_close(fd.get());
  if (waiting_.size() >= kMost || !has_unacknowledged(fd.get())) return false;
  if (waiting_.empty()) timer_.start(kLook);
  waiting_.push_back({std::move(fd), limits, loop_.now_ms() + kLongest_ms});
  return true;
}

void LateResets::look() {
  int64_t now_ms = loop_.now_ms();
  std::erase_if(waiting_, [now_ms](Waiting& waiting) {
    if (now_ms < waiting.until_ms && has_unacknowledged(waiting.fd.get())) return false;
    waiting.fd.reset();
    for (ConnectionLimit* limit : waiting.limits) limit->give_back();
    return true;
  });
  if (!waiting_.empty()) timer_.start(kLook);
}

}  // namespace lb
