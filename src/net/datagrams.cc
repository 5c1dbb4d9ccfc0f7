// SPDX-License-Identifier: MIT
#include "net/datagrams.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace lb {

namespace {

// Of what is sent: a source address and the size of segments.
constexpr size_t kControl = CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t));

// Appends an ancillary message; `control` has room for it.
template <typename T>
void add_control(msghdr& message, char* control, int level, int type, const T& value) {
  auto* header = reinterpret_cast<cmsghdr*>(control + message.msg_controllen);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(sizeof(T));
  std::memcpy(CMSG_DATA(header), &value, sizeof(T));
  message.msg_control = control;
  message.msg_controllen += CMSG_SPACE(sizeof(T));
}

void add_source(msghdr& message, char* control, const LocalAddress& from) {
  if (from.family == AF_INET) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, &from.address, sizeof(info.ipi_spec_dst));
    add_control(message, control, IPPROTO_IP, IP_PKTINFO, info);
  } else if (from.family == AF_INET6) {
    in6_pktinfo info{.ipi6_addr = from.address, .ipi6_ifindex = from.interface};
    add_control(message, control, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
}

// What keeps the kernel from cutting up many, and not from taking each: an interface that cannot,
// or datagrams that need fragments.
bool forbids_segments(int error) {
  return error == EINVAL || error == EIO || error == EMSGSIZE || error == EOPNOTSUPP;
}

}  // namespace

bool is_unreachable(int error) {
  return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH ||
         error == EHOSTDOWN || error == ENOPROTOOPT;
}

int64_t receive_together(int fd, char* room, uint16_t& segment) {
  alignas(cmsghdr) char control[64];
  iovec vector{room, kMaxDatagram};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT);
  if (got < 0) return -errno;
  segment = 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != IPPROTO_UDP || header->cmsg_type != UDP_GRO) continue;
    int size = 0;
    std::memcpy(&size, CMSG_DATA(header), sizeof(size));
    if (size > 0 && size < got) segment = static_cast<uint16_t>(size);
  }
  return got;
}

DatagramReader::DatagramReader() : bytes_(new char[kBatch * kStride]) {}

void DatagramReader::prepare(size_t i) {
  vectors_[i] = {bytes_.get() + i * kStride, kMaxDatagram};
  arrivals_[i].bytes = bytes_.get() + i * kStride;
  msghdr& message = messages_[i].msg_hdr;
  message.msg_name = &arrivals_[i].peer.v6;
  message.msg_namelen = sizeof(arrivals_[i].peer.v6);
  message.msg_iov = &vectors_[i];
  message.msg_iovlen = 1;
  message.msg_control = control_[i].data();
  message.msg_controllen = kControl;
}

void DatagramReader::take(size_t i) {
  Arrival& arrival = arrivals_[i];
  arrival.size = messages_[i].msg_len;
  arrival.segment = 0;
  arrival.local.family = 0;
  msghdr& message = messages_[i].msg_hdr;
  if (message.msg_controllen == 0) return;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    const unsigned char* data = CMSG_DATA(header);
    if (header->cmsg_level == IPPROTO_UDP && header->cmsg_type == UDP_GRO) {
      int segment = 0;
      std::memcpy(&segment, data, sizeof(segment));
      if (segment > 0 && static_cast<uint32_t>(segment) < arrival.size) {
        arrival.segment = static_cast<uint16_t>(segment);
      }
    } else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, data, sizeof(info));
      // A dual-stack socket gives this beside the IPv6 form, which it wants back.
      if (arrival.local.family == AF_INET6) continue;
      arrival.local = {.family = AF_INET, .interface = 0, .address = {}};
      std::memcpy(&arrival.local.address, &info.ipi_spec_dst, sizeof(info.ipi_spec_dst));
    } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, data, sizeof(info));
      bool link_local = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr);
      arrival.local = {.family = AF_INET6,
                       .interface = link_local ? static_cast<uint32_t>(info.ipi6_ifindex) : 0,
                       .address = info.ipi6_addr};
    }
  }
}

size_t DatagramReader::receive(int fd) {
  for (size_t i = 0; i < dirty_; ++i) prepare(i);
  int count = recvmmsg(fd, messages_.data(), kBatch, MSG_DONTWAIT, nullptr);
  error_ = count < 0 ? errno : 0;
  dirty_ = static_cast<size_t>(std::max(count, 0));
  for (size_t i = 0; i < dirty_; ++i) take(i);
  return dirty_;
}

DatagramReader& DatagramTools::reader() {
  if (!reader_) reader_ = std::make_unique<DatagramReader>();
  return *reader_;
}

char* DatagramWriter::room() {
  if (!bytes_) bytes_.reset(new char[kRoom]);
  if (kRoom - used_ < kMaxDatagram) flush();
  return bytes_.get() + used_;
}

void DatagramWriter::add(int socket, const Endpoint4or6& to, const LocalAddress& from,
                         uint32_t size, uint16_t segment, uint64_t& dropped) {
  // Flushing moves nothing: the bytes lie at used_ still, and are sent with the next flush.
  if (count_ == kBatch || (count_ > 0 && socket != socket_)) {
    char* bytes = bytes_.get() + used_;
    flush();
    std::memmove(bytes_.get(), bytes, size);
  }
  if (count_ == 0) loop_.at_end_of_turn(*this);
  socket_ = socket;
  char* bytes = bytes_.get() + used_;
  used_ += size;
  uint32_t unit = segment > 0 ? segment : size;
  uint32_t count = segment > 0 ? (size + segment - 1) / segment : 1;
  if (count_ > 0) {
    Message& last = pending_[count_ - 1];
    // Nothing else lies between: only add() moves on.
    if (last.open && unit <= last.segment && (segment == 0 || unit == last.segment) &&
        last.count + count <= 64 && last.size + size <= 64'000 && unit > 0 &&
        std::memcmp(&last.to.v6, &to.v6, sizeof(to.v6)) == 0 && last.from == from) {
      last.size += size;
      last.count += count;
      last.open = size % last.segment == 0;
      return;
    }
  }
  bool open = unit > 0 && size % unit == 0;
  pending_[count_++] = {to, from, bytes, size, unit, count, open, &dropped};
}

void DatagramWriter::build(size_t i) {
  Message& pending = pending_[i];
  vectors_[i] = {pending.bytes, pending.size};
  msghdr& message = messages_[i].msg_hdr;
  message = {};
  message.msg_name = &pending.to.v6;
  message.msg_namelen = pending.to.length();
  message.msg_iov = &vectors_[i];
  message.msg_iovlen = 1;
  if (pending.from.family != 0) add_source(message, control_[i].data(), pending.from);
  if (pending.count > 1) {
    add_control(message, control_[i].data(), IPPROTO_UDP, UDP_SEGMENT,
                static_cast<uint16_t>(pending.segment));
  }
}

void DatagramWriter::flush() {
  for (size_t i = 0; i < count_; ++i) build(i);
  size_t sent = 0;
  while (sent < count_) {
    int result = sendmmsg(socket_, &messages_[sent], static_cast<unsigned>(count_ - sent),
                          MSG_DONTWAIT | MSG_NOSIGNAL);
    if (result > 0) {
      sent += static_cast<size_t>(result);
      continue;
    }
    Message& refused = pending_[sent];
    if (refused.count > 1 && forbids_segments(errno)) {
      send_apart(refused);
    } else {
      *refused.dropped += refused.count;
    }
    ++sent;
  }
  count_ = 0;
  used_ = 0;
}

void DatagramWriter::send_apart(const Message& together) {
  for (uint32_t at = 0; at < together.size; at += together.segment) {
    msghdr message{};
    iovec vector{together.bytes + at, std::min(together.segment, together.size - at)};
    char control[96] = {};
    Endpoint4or6 to = together.to;
    message.msg_name = &to.v6;
    message.msg_namelen = to.length();
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    add_source(message, control, together.from);
    if (sendmsg(socket_, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) ++*together.dropped;
  }
}

int DatagramRun::add(std::string_view head, char* bytes, uint32_t size, uint16_t segment) {
  uint32_t all = static_cast<uint32_t>(head.size()) + size;
  uint32_t unit = segment > 0 ? segment : all;
  uint32_t count = segment > 0 ? (size + segment - 1) / segment : 1;
  bool goes_along = open_ && unit > 0 && unit <= segment_ && (count == 1 || unit == segment_) &&
                    queued_ + count <= kMostSegments && bytes_ + all <= kMostBytes;
  if (!goes_along) {
    if (int error = flush(); error != 0) return error;
    segment_ = unit;
  }
  if (!head.empty()) append(const_cast<char*>(head.data()), head.size());
  append(bytes, size);
  queued_ += count;
  bytes_ += all;
  open_ = unit > 0 && bytes_ % segment_ == 0;
  return 0;
}

void DatagramRun::append(char* bytes, size_t size) {
  vectors_[used_++] = {bytes, size};
}

void DatagramRun::address(msghdr& message, char* control) const {
  if (to_ == nullptr) return;
  message.msg_name = const_cast<sockaddr_in6*>(&to_->v6);
  message.msg_namelen = to_->length();
  add_source(message, control, *from_);
}

int DatagramRun::send_one(msghdr& message, uint32_t datagrams) {
  // EMSGSIZE may be the late word of a router about an earlier one.
  for (int tries = 0; tries < 2; ++tries) {
    if (sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
      done_ += datagrams;
      return 0;
    }
    if (errno != EMSGSIZE) break;
  }
  if (is_unreachable(errno)) return errno;
  if (datagrams > 1 && forbids_segments(errno)) return send_apart();
  done_ += datagrams;
  dropped_ += datagrams;
  return 0;
}

int DatagramRun::flush() {
  if (queued_ == 0) return 0;
  msghdr message{};
  message.msg_iov = vectors_.data();
  message.msg_iovlen = used_;
  alignas(cmsghdr) char control[kControl] = {};
  address(message, control);
  if (queued_ > 1) {
    add_control(message, control, IPPROTO_UDP, UDP_SEGMENT, static_cast<uint16_t>(segment_));
  }
  int error = send_one(message, queued_);
  queued_ = bytes_ = 0;
  used_ = 0;
  open_ = false;
  return error;
}

// Cuts the run where the kernel would have.
int DatagramRun::send_apart() {
  size_t vector = 0;
  size_t offset = 0;
  for (uint32_t left = bytes_; left > 0;) {
    iovec parts[2 * kMostSegments];
    size_t count = 0;
    uint32_t wanted = std::min(segment_, left);
    left -= wanted;
    while (wanted > 0) {
      size_t take = std::min<size_t>(wanted, vectors_[vector].iov_len - offset);
      if (take > 0) parts[count++] = {static_cast<char*>(vectors_[vector].iov_base) + offset, take};
      wanted -= static_cast<uint32_t>(take);
      offset += take;
      if (offset < vectors_[vector].iov_len) continue;
      ++vector;
      offset = 0;
    }
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = count;
    alignas(cmsghdr) char control[kControl] = {};
    address(message, control);
    if (int error = send_one(message, 1); error != 0) return error;
  }
  return 0;
}

}  // namespace lb
