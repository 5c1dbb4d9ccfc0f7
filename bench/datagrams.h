// SPDX-License-Identifier: MIT
#pragma once

#include <netinet/udp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "sockets.h"

namespace lb::bench {

inline constexpr size_t kMaxDatagram = 65536;

inline int bind_datagrams(const sockaddr_in& address) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die_errno("socket");
  constexpr int kBuffer = 8 << 20;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof kBuffer) != 0) {
    set_option(fd, SOL_SOCKET, SO_RCVBUF, kBuffer);
  }
  if (bind(fd, as_sockaddr(address), sizeof address) != 0) die_errno("bind");
  return fd;
}

// Sends `count` buffers to where a socket is connected, as one where they are several.
inline bool send_run(int fd, iovec* vectors, unsigned count, const sockaddr_in* to = nullptr) {
  msghdr message{};
  message.msg_iov = vectors;
  message.msg_iovlen = count;
  sockaddr_in name{};
  if (to != nullptr) {
    name = *to;
    message.msg_name = &name;
    message.msg_namelen = sizeof name;
  }
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))] = {};
  if (count > 1) {
    const auto size = static_cast<uint16_t>(vectors[0].iov_len);
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = IPPROTO_UDP;
    header->cmsg_type = UDP_SEGMENT;
    header->cmsg_len = CMSG_LEN(sizeof size);
    std::memcpy(CMSG_DATA(header), &size, sizeof size);
  }
  return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

// A batch of datagrams as recvmmsg(2) takes them.
class Arrivals {
 public:
  static constexpr unsigned kMost = 64;

  unsigned receive(int fd) {
    for (unsigned i = 0; i < kMost; ++i) {
      vectors_[i] = {at(i), kMaxDatagram};
      messages_[i] = {};
      messages_[i].msg_hdr.msg_name = &peers_[i];
      messages_[i].msg_hdr.msg_namelen = sizeof peers_[i];
      messages_[i].msg_hdr.msg_iov = &vectors_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
    const int count = recvmmsg(fd, messages_.data(), kMost, MSG_DONTWAIT, nullptr);
    return count < 0 ? 0 : static_cast<unsigned>(count);
  }

  const sockaddr_in& peer(unsigned i) const { return peers_[i]; }
  const char* bytes(unsigned i) { return at(i); }
  size_t size(unsigned i) const { return messages_[i].msg_len; }
  bool same_peer(unsigned a, unsigned b) const {
    return peers_[a].sin_port == peers_[b].sin_port &&
           peers_[a].sin_addr.s_addr == peers_[b].sin_addr.s_addr;
  }
  // UDP_SEGMENT: equal sizes, of which the last may be shorter, 64 KiB in all.
  bool goes_along(unsigned first, unsigned next) const {
    return size(first) > 0 && size(next) > 0 && size(next - 1) == size(first) &&
           size(next) <= size(first) && (next - first + 1) * size(first) < 64'000;
  }
  void forward(int fd, unsigned begin, unsigned end) {
    iovec vectors[kMost];
    for (unsigned i = begin; i < end; ++i) vectors[i - begin] = {at(i), size(i)};
    if (end - begin == 1) {
      send(fd, at(begin), size(begin), MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
      send_run(fd, vectors, end - begin);
    }
  }

 private:
  // Not a power of two: or all fight for the same lines of the cache.
  char* at(unsigned i) { return bytes_.get() + i * (kMaxDatagram + 192); }

  std::unique_ptr<char[]> bytes_{new char[kMost * (kMaxDatagram + 192)]};
  std::array<mmsghdr, kMost> messages_;
  std::array<iovec, kMost> vectors_;
  std::array<sockaddr_in, kMost> peers_;
};

// Datagrams that leave a socket together: by sendmmsg(2), with `segments` runs of equal ones to one
// peer as one.
class Departures {
 public:
  Departures(int fd, bool segments) : fd_(fd), segments_(segments) {}

  char* room() {
    if (used_ + kMaxDatagram > kRoom) flush();
    return bytes_.get() + used_;
  }
  // What was written to room().
  void add(const sockaddr_in& to, size_t size) {
    char* bytes = bytes_.get() + used_;
    if (count_ == kMost) {
      flush();
      std::memmove(bytes_.get(), bytes, size);
      bytes = bytes_.get();
    }
    used_ += size;
    if (segments_ && count_ > 0) {
      Run& last = runs_[count_ - 1];
      if (last.open && size > 0 && size <= last.segment && last.count < 64 &&
          last.size + size < 64'000 && last.to.sin_port == to.sin_port &&
          last.to.sin_addr.s_addr == to.sin_addr.s_addr) {
        last.size += size;
        ++last.count;
        last.open = size == last.segment;
        return;
      }
    }
    runs_[count_++] = {to, bytes, size, size, 1, size > 0};
  }
  void flush() {
    for (unsigned i = 0; i < count_; ++i) build(i);
    for (unsigned sent = 0; sent < count_;) {
      const int done = sendmmsg(fd_, &messages_[sent], count_ - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
      sent += done > 0 ? static_cast<unsigned>(done) : 1;
    }
    count_ = 0;
    used_ = 0;
  }

 private:
  static constexpr unsigned kMost = 64;
  static constexpr size_t kRoom = 4 * kMaxDatagram;
  struct Run {
    sockaddr_in to;
    char* bytes;
    size_t size;
    size_t segment;
    unsigned count;
    bool open;
  };

  void build(unsigned i) {
    Run& run = runs_[i];
    vectors_[i] = {run.bytes, run.size};
    msghdr& message = messages_[i].msg_hdr;
    message = {};
    message.msg_name = &run.to;
    message.msg_namelen = sizeof run.to;
    message.msg_iov = &vectors_[i];
    message.msg_iovlen = 1;
    if (run.count == 1) return;
    message.msg_control = control_[i].data();
    message.msg_controllen = CMSG_SPACE(sizeof(uint16_t));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = IPPROTO_UDP;
    header->cmsg_type = UDP_SEGMENT;
    header->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    const auto segment = static_cast<uint16_t>(run.segment);
    std::memcpy(CMSG_DATA(header), &segment, sizeof segment);
  }

  int fd_;
  bool segments_;
  std::unique_ptr<char[]> bytes_{new char[kRoom]};
  size_t used_ = 0;
  unsigned count_ = 0;
  std::array<Run, kMost> runs_{};
  std::array<mmsghdr, kMost> messages_{};
  std::array<iovec, kMost> vectors_{};
  std::array<std::array<char, 32>, kMost> control_{};
};

}  // namespace lb::bench
