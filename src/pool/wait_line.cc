// SPDX-License-Identifier: MIT
#include "pool/wait_line.h"

#include "net/mailbox.h"

namespace lb {

void Place::take_turn() {
  if (waiter_ != nullptr && line_.take_turn(*this)) waiter_->on_turn();
}

std::shared_ptr<Place> WaitLine::join(Waiter& waiter, Mailbox& mailbox, const Server* wanted,
                                      uint32_t most) {
  auto place = std::make_shared<Place>(*this, waiter, mailbox, wanted);
  std::lock_guard lock(mutex_);
  if (places_.size() >= most) return nullptr;
  places_.push_back(*place);
  waiting_.fetch_add(1, std::memory_order_seq_cst);
  return place;
}

bool WaitLine::is_next(const Place& place) const {
  std::lock_guard lock(mutex_);
  for (const Place& earlier : places_) {
    if (&earlier == &place) return true;
    if (earlier.wanted_ == nullptr || earlier.wanted_ == place.wanted_) return false;
  }
  return true;
}

// From here on it may be called again: who frees a server while it looks for one must not think it
// provided for.
bool WaitLine::take_turn(Place& place) {
  std::lock_guard lock(mutex_);
  if (place.state_ != Place::State::called) return false;  // it found a server without being called
  place.state_ = Place::State::waiting;
  --busy_;
  return true;
}

void WaitLine::begin_try(Place& place) {
  Calls calls;
  {
    std::lock_guard lock(mutex_);
    bool was_called = place.state_ == Place::State::called;
    if (place.state_ == Place::State::waiting) ++busy_;
    place.state_ = Place::State::trying;
    // It found a server before the call came: the room that the call is about is another's.
    if (was_called && place.room_at_ != nullptr) call_next(place.room_at_, calls);
  }
  send(calls);
}

void WaitLine::wait_on(Place& place, bool holding) {
  std::lock_guard lock(mutex_);
  holding_.store(holding, std::memory_order_relaxed);
  if (place.state_ != Place::State::trying) return;
  place.state_ = Place::State::waiting;
  --busy_;
}

void WaitLine::leave(Place& place, bool served) {
  Calls calls;
  {
    std::lock_guard lock(mutex_);
    place.waiter_ = nullptr;
    bool was_called = place.state_ == Place::State::called;
    if (place.state_ != Place::State::waiting) --busy_;
    places_.remove(place);
    waiting_.fetch_sub(1, std::memory_order_seq_cst);
    if (places_.empty()) holding_.store(false, std::memory_order_relaxed);
    if (served) {
      if (is_holding() && call_next(nullptr, calls)) call_next(nullptr, calls);
    } else if (was_called) {
      call_next(place.room_at_, calls);
    } else if (busy_ == 0) {
      call_next(nullptr, calls);  // it may have been the one to look again
    }
  }
  send(calls);
}

void WaitLine::nudge() {
  let_try(1);
}

void WaitLine::released(const Server* server) {
  Calls calls;
  {
    std::lock_guard lock(mutex_);
    call_next(server, calls);
  }
  send(calls);
}

void WaitLine::let_try(uint32_t tries) {
  Calls calls;
  {
    std::lock_guard lock(mutex_);
    while (busy_ < tries && call_next(nullptr, calls)) {
    }
  }
  send(calls);
}

bool WaitLine::call_next(const Server* server, Calls& calls) {
  for (Place& place : places_) {
    if (place.state_ != Place::State::waiting) continue;
    if (server != nullptr && place.wanted_ != nullptr && place.wanted_ != server) continue;
    place.state_ = Place::State::called;
    place.room_at_ = server;
    ++busy_;
    calls.push_back(place.shared_from_this());
    return true;
  }
  return false;
}

// Outside the mutex: posting may be a system call.
void WaitLine::send(const Calls& calls) {
  for (const auto& place : calls) {
    place->mailbox_.post([place] { place->take_turn(); });
  }
}

}  // namespace lb
