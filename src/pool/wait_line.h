// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "common/intrusive_list.h"

namespace lb {

class Mailbox;
class Server;
class WaitLine;

// Somebody who waits for a server. Worker thread.
class Waiter {
 public:
  virtual ~Waiter() = default;
  // Try now: a server has room, or is usable again. Comes by its worker's mailbox, never from
  // within a call of the line.
  virtual void on_turn() = 0;
};

// A waiter's place in the line, from WaitLine::join() to leave().
class Place final : public ListHook, public std::enable_shared_from_this<Place> {
 public:
  Place(WaitLine& line, Waiter& waiter, Mailbox& mailbox, const Server* wanted)
      : line_(line), mailbox_(mailbox), wanted_(wanted), waiter_(&waiter) {}

  WaitLine& line() { return line_; }
  const Server* wanted() const { return wanted_; }

 private:
  friend class WaitLine;
  enum class State : uint8_t { waiting, called, trying };

  void take_turn();

  WaitLine& line_;
  Mailbox& mailbox_;
  const Server* const wanted_;  // null: any will do
  Waiter* waiter_;              // null once it has left; its worker's alone
  // Under the line's mutex.
  State state_ = State::waiting;
  const Server* room_at_ = nullptr;  // what it was called for, if it was for a server's room
};

// Who waits for a server of one pool, in the order of coming, on whatever worker. One per pool
// name, outlives every snapshot. Any thread; whoever has nobody waiting for it takes no lock.
//
// Nobody is handed a server here: a waiter is *called*, and takes one as everybody does. What was
// freed for it is its own all the same, since newcomers join the line while there is one. Whoever
// gives back a unit of work subtracts, then looks at waiting(); whoever waits joins, then looks
// once more for a server. Both in sequential consistency, so that one of the two sees the other.
class WaitLine {
 public:
  WaitLine() = default;
  WaitLine(const WaitLine&) = delete;
  WaitLine& operator=(const WaitLine&) = delete;

  uint32_t waiting() const { return waiting_.load(std::memory_order_seq_cst); }
  // The latest to try found no usable server, or could connect to none, rather than full ones.
  bool is_holding() const { return holding_.load(std::memory_order_relaxed); }

  // For waiters, on their worker.

  // Nothing when `most` wait already. `wanted`: only this server will do.
  std::shared_ptr<Place> join(Waiter& waiter, Mailbox& mailbox, const Server* wanted,
                              uint32_t most);
  // Nobody before it could take what it would take, so it may try without being called.
  bool is_next(const Place& place) const;
  // It has a server and tries to connect; it keeps its place until that has come to something.
  void begin_try(Place& place);
  // It came to nothing: waits on, for room, or (`holding`) for a server to be usable.
  void wait_on(Place& place, bool holding);
  // It was served, or waits no longer. The place is of no use afterwards.
  void leave(Place& place, bool served);
  // Who could connect to none looks again: the first in line does, if nobody is trying.
  void nudge();

  // A unit of work at `server` was given back. The pointer is only compared.
  void released(const Server* server);
  // Servers may be usable that were not: lets up to `tries` waiters try at a time. Each that is
  // served lets two more, so that the line moves as fast as connects succeed.
  void let_try(uint32_t tries);

 private:
  using Calls = std::vector<std::shared_ptr<Place>>;

  // The first that waits and would take room at `server` (null: any) is called.
  bool call_next(const Server* server, Calls& calls);
  static void send(const Calls& calls);
  bool take_turn(Place& place);
  friend class Place;

  alignas(64) std::atomic<uint32_t> waiting_{0};
  std::atomic<bool> holding_{false};
  alignas(64) mutable std::mutex mutex_;
  IntrusiveList<Place> places_;
  uint32_t busy_ = 0;  // of them, called or trying
};

}  // namespace lb
