// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "net/datagram_socket.h"
#include "net/event_loop.h"

namespace lb {

// Many datagrams per system call, in and out, without an allocation for any of them. Loop thread.

// The largest that the kernel takes or gives, and what it may put together of equal ones.
inline constexpr size_t kMaxDatagram = 65'536;

// Datagrams of one peer that came together: one, or with `segment` several of that size, of which
// the last may be shorter. Its bytes are valid until the next receive.
struct Arrival {
  Endpoint4or6 peer;
  LocalAddress local;
  char* bytes = nullptr;
  uint32_t size = 0;
  uint16_t segment = 0;

  uint32_t count() const { return segment == 0 ? 1 : (size + segment - 1) / segment; }
};

// Takes a batch of datagrams from a socket.
class DatagramReader {
 public:
  static constexpr size_t kBatch = 64;

  DatagramReader();
  // How many there were; 0 = none now, or error().
  size_t receive(int fd);
  int error() const { return error_; }  // of the last receive: an errno, or 0
  Arrival& at(size_t i) { return arrivals_[i]; }

 private:
  // Not a power of two: buffers that begin at the same place of a page would fight for the same
  // lines of the processor's cache.
  static constexpr size_t kStride = kMaxDatagram + 192;
  static constexpr size_t kControl = 128;

  void prepare(size_t i);
  void take(size_t i);

  std::unique_ptr<char[]> bytes_;  // 4 MiB, of which only what was written takes memory
  std::array<mmsghdr, kBatch> messages_{};
  std::array<iovec, kBatch> vectors_{};
  std::array<std::array<char, kControl>, kBatch> control_{};
  std::array<Arrival, kBatch> arrivals_;
  size_t dirty_ = kBatch;  // messages that the last receive changed
  int error_ = 0;
};

// Collects datagrams to clients and sends them together: at the end of the turn, when there are
// kBatch, when the room for their bytes runs out, or when the next is for another socket. Equal
// ones to one client, which lie behind one another, leave as one (UDP_SEGMENT).
class DatagramWriter final : private TurnEnd {
 public:
  static constexpr size_t kBatch = 64;

  explicit DatagramWriter(EventLoop& loop) : loop_(loop) {}

  // Room for the next datagram, kMaxDatagram bytes.
  char* room();
  // Sends what lies there. `socket` and `dropped` outlive the turn; `dropped` counts datagrams
  // that the kernel would not take.
  void add(int socket, const Endpoint4or6& to, const LocalAddress& from, uint32_t size,
           uint16_t segment, uint64_t& dropped);
  void flush();

 private:
  struct Message {
    Endpoint4or6 to;
    LocalAddress from;
    char* bytes;
    uint32_t size;
    uint32_t segment;  // size of each datagram in it
    uint32_t count;
    bool open;  // the last is not shorter: another may follow
    uint64_t* dropped;
  };
  static constexpr size_t kRoom = 4 * kMaxDatagram;

  void end_turn() override { flush(); }
  void build(size_t i);
  void send_apart(const Message& message);

  EventLoop& loop_;
  std::unique_ptr<char[]> bytes_;
  size_t used_ = 0;
  int socket_ = -1;
  size_t count_ = 0;
  std::array<Message, kBatch> pending_;
  std::array<mmsghdr, kBatch> messages_{};
  std::array<iovec, kBatch> vectors_{};
  std::array<std::array<char, 96>, kBatch> control_{};
};

// What a worker's UDP listeners share. The buffers are there from the first use on.
class DatagramTools {
 public:
  explicit DatagramTools(EventLoop& loop) : writer(loop) {}
  DatagramReader& reader();
  DatagramWriter writer;

 private:
  std::unique_ptr<DatagramReader> reader_;
};

// Datagrams to one peer, in order: a run of equal sizes leaves as one.
class DatagramRun {
 public:
  // To where `fd` is connected.
  explicit DatagramRun(int fd) : fd_(fd) {}
  // To `to`, from one of this machine's addresses; both outlive it.
  DatagramRun(int fd, const Endpoint4or6& to, const LocalAddress& from)
      : fd_(fd), to_(&to), from_(&from) {}

  // Queues a datagram that begins with `head`, or (`segment` > 0) several of that size without
  // one; sends what was queued before where it does not go along. `head` and `bytes` stay the
  // caller's until flush(). Both return 0, or the errno that says that the peer cannot be
  // reached: then only done() datagrams, in order, are over and done with.
  int add(std::string_view head, char* bytes, uint32_t size, uint16_t segment);
  int flush();

  uint32_t done() const { return done_; }        // sent or dropped
  uint32_t dropped() const { return dropped_; }  // the kernel would not take them

 private:
  static constexpr uint32_t kMostSegments = 64;  // that the kernel takes at once
  static constexpr uint32_t kMostBytes = 64'000;

  void append(char* bytes, size_t size);
  void address(msghdr& message, char* control) const;
  int send_one(msghdr& message, uint32_t datagrams);
  int send_apart();

  const int fd_;
  const Endpoint4or6* to_ = nullptr;
  const LocalAddress* from_ = nullptr;
  std::array<iovec, 2 * kMostSegments> vectors_;  // of the run that is queued
  size_t used_ = 0;
  uint32_t queued_ = 0;   // datagrams
  uint32_t bytes_ = 0;    // all of them
  uint32_t segment_ = 0;  // size of each, but perhaps the last
  bool open_ = false;     // the last is not shorter: more may follow
  uint32_t done_ = 0;
  uint32_t dropped_ = 0;
};

// Takes what expect_many_datagrams() may give at once: its size, and in `segment` that of each
// where there are several; or -errno.
int64_t receive_together(int fd, char* room, uint16_t& segment);

// Whether the errno of a datagram socket says that the server, or the way to it, is gone.
bool is_unreachable(int error);

}  // namespace lb
