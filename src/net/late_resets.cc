// SPDX-License-Identifier: MIT
#include "net/late_resets.h"

#include <netinet/tcp.h>
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
  return unsent_bytes(fd) > 0 && !is_dead(fd);
}

}  // namespace

LateResets::LateResets(EventLoop& loop) : loop_(loop), timer_(loop, [this] { look(); }) {}

bool LateResets::close(Fd fd, std::function<void()> closed) {
  if (!fd) return false;
  set_reset_on_close(fd.get());
  if (waiting_.size() >= kMost || !has_unacknowledged(fd.get())) return false;
  if (waiting_.empty()) timer_.start(kLook);
  waiting_.push_back({std::move(fd), std::move(closed), loop_.now_ms() + kLongest_ms});
  return true;
}

void LateResets::close_all() {
  close_if([](const Waiting&) { return true; });
}

void LateResets::look() {
  close_if([now_ms = loop_.now_ms()](const Waiting& waiting) {
    return now_ms >= waiting.until_ms || !has_unacknowledged(waiting.fd.get());
  });
  if (!waiting_.empty()) timer_.start(kLook);
}

void LateResets::close_if(const std::function<bool(const Waiting&)>& due) {
  std::erase_if(waiting_, [&due](Waiting& waiting) {
    if (!due(waiting)) return false;
    waiting.fd.reset();
    if (waiting.closed) waiting.closed();
    return true;
  });
}

}  // namespace lb
