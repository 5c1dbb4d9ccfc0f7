// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>

#include "net/event_loop.h"

namespace lb {

class TimeoutQueue;

// Something with at most one deadline, kept in a TimeoutQueue. Derive from it. Loop thread.
class Timeout {
 public:
  Timeout() = default;
  virtual ~Timeout();
  Timeout(const Timeout&) = delete;
  Timeout& operator=(const Timeout&) = delete;

  // Monotonic ms; 0 = none set.
  int64_t deadline_ms() const { return deadline_ms_; }

 protected:
  // The deadline has passed and is no longer set; may set another.
  virtual void on_timeout() = 0;

 private:
  friend class TimeoutQueue;
  Timeout* next_ = nullptr;
  Timeout* previous_ = nullptr;
  TimeoutQueue* queue_ = nullptr;
  int64_t deadline_ms_ = 0;
  int64_t look_ms_ = 0;  // when its list looks at it next
  uint8_t list_ = 0;
};

// Deadlines of many sessions: set and cleared in constant time without a system call, 56 bytes
// each. One list per power of two of milliseconds; a deadline waits in the list of the largest
// power that fits its delay and moves to smaller ones as it comes near, so it is met to a few
// milliseconds, never early. Loop thread.
class TimeoutQueue {
 public:
  explicit TimeoutQueue(EventLoop& loop);
  ~TimeoutQueue();
  TimeoutQueue(const TimeoutQueue&) = delete;
  TimeoutQueue& operator=(const TimeoutQueue&) = delete;

  // Sets or moves the deadline.
  void set(Timeout& timeout, int64_t deadline_ms);
  // Sets it unless an earlier or equal one is set: sessions move theirs lazily, when it is due.
  void set_at_most(Timeout& timeout, int64_t deadline_ms) {
    if (timeout.deadline_ms_ == 0 || deadline_ms < timeout.deadline_ms_) set(timeout, deadline_ms);
  }
  void clear(Timeout& timeout);

 private:
  // In the order of insertion, which is the order of the next look: insertion plus period.
  struct List {
    Timeout* first = nullptr;
    Timeout* last = nullptr;
    int64_t period_ms = 0;
    TimeoutQueue* queue = nullptr;
    event timer;
  };
  static constexpr int kShortestLog2 = 2;  // 4 ms
  static constexpr int kLists = 32;        // up to 2^33 ms, three months

  void insert(Timeout& timeout);
  void unlink(Timeout& timeout);
  void look_at(List& list);
  void start_timer(List& list);

  EventLoop& loop_;
  std::array<List, kLists> lists_;
};

}  // namespace lb
