// SPDX-License-Identifier: MIT
#include "net/event_loop.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>

#include "common/clock.h"
#include "common/log.h"

namespace lb {

namespace {

void pass_to_log(int severity, const char* message) {
  if (severity == EVENT_LOG_ERR) {
    log::error("libevent: {}", message);
  } else {
    log::warning("libevent: {}", message);
  }
}

// On its own libevent writes to stderr, and waits for it.
void tell_libevent_where_the_log_is() {
  static std::once_flag once;
  std::call_once(once, [] { event_set_log_callback(pass_to_log); });
}

}  // namespace

TurnEnd::~TurnEnd() {
  if (waits_in_ == nullptr) return;
  auto& waiting = waits_in_->turn_ends_;
  std::replace(waiting.begin(), waiting.end(), this, static_cast<TurnEnd*>(nullptr));
}

EventLoop::EventLoop() {
  tell_libevent_where_the_log_is();
  event_config* config = event_config_new();
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  base_ = event_base_new_with_config(config);
  event_config_free(config);
  if (!base_) std::abort();
}

EventLoop::~EventLoop() {
  free_retired();
  event_base_free(base_);
}

void EventLoop::run() {
  while (!stopped_) run_turn();
}

void EventLoop::run_turn(bool wait) {
  now_us_ = 0;
  ++turn_;
  // Without EVLOOP_ONCE libevent goes on for as long as anything stays ready. What the last turn's
  // end has left to this one's waits for no event.
  bool waits = wait && turn_ends_.empty();
  event_base_loop(base_, EVLOOP_ONCE | (waits ? EVLOOP_NO_EXIT_ON_EMPTY : EVLOOP_NONBLOCK));
  end_turn();
  free_retired();
}

void EventLoop::end_turn() {
  // One may ask for another, or for itself again: that waits for the next turn.
  size_t count = turn_ends_.size();
  for (size_t i = 0; i < count; ++i) {
    if (turn_ends_[i] == nullptr) continue;  // gone meanwhile
    turn_ends_[i]->waits_in_ = nullptr;
    turn_ends_[i]->end_turn();
  }
  turn_ends_.erase(turn_ends_.begin(), turn_ends_.begin() + static_cast<ptrdiff_t>(count));
}

int64_t EventLoop::now_us() {
  if (now_us_ == 0) now_us_ = monotonic_us();
  return now_us_;
}

void EventLoop::free_retired() {
  // A destructor may retire more.
  while (!retired_.empty()) {
    std::vector<Retired> batch;
    batch.swap(retired_);
    for (const Retired& retired : batch) retired.destroy(retired.object);
    if (retired_.empty()) {
      batch.clear();
      retired_.swap(batch);  // keep the capacity
    }
  }
}

Timer::Timer(EventLoop& loop, std::function<void()> callback) : callback_(std::move(callback)) {
  evtimer_assign(
      &event_, loop.base(),
      [](evutil_socket_t, short, void* self) { static_cast<Timer*>(self)->callback_(); }, this);
}

Timer::~Timer() {
  stop();
}

void Timer::start(std::chrono::milliseconds delay) {
  timeval tv{.tv_sec = delay.count() / 1000, .tv_usec = delay.count() % 1000 * 1000};
  evtimer_add(&event_, &tv);
}

void Timer::stop() {
  evtimer_del(&event_);
}

bool Timer::pending() const {
  return evtimer_pending(&event_, nullptr) != 0;
}

SignalEvent::SignalEvent(EventLoop& loop, int signal, std::function<void()> callback)
    : callback_(std::move(callback)) {
  evsignal_assign(
      &event_, loop.base(), signal,
      [](evutil_socket_t, short, void* self) { static_cast<SignalEvent*>(self)->callback_(); },
      this);
  evsignal_add(&event_, nullptr);
}

SignalEvent::~SignalEvent() {
  evsignal_del(&event_);
}

}  // namespace lb
