// SPDX-License-Identifier: MIT
#include "net/late_resets.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <utility>

#include "net/socket.h"

namespace lb {

namespace {

// A connection that the peer has reset will have nothing acknowledged any more, but goes on to
// count what was not.
bool is_dead(int fd) {
  tcp_info info{};
  socklen_t length = sizeof(info);
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_state == TCP_CLOSE;
}

bool has_unacknowledged(int fd) {
  int bytes = 0;
  return ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0 && !is_dead(fd);
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
