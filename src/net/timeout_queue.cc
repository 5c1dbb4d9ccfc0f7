// SPDX-License-Identifier: MIT
#include "net/timeout_queue.h"

#include <algorithm>
#include <bit>

namespace lb {

Timeout::~Timeout() {
  if (queue_) queue_->clear(*this);
}

TimeoutQueue::TimeoutQueue(EventLoop& loop) : loop_(loop) {
  int64_t period_ms = int64_t{1} << kShortestLog2;
  for (List& list : lists_) {
    list.period_ms = period_ms;
    list.queue = this;
    evtimer_assign(
        &list.timer, loop_.base(),
        [](evutil_socket_t, short, void* arg) {
          auto* due = static_cast<List*>(arg);
          due->queue->look_at(*due);
        },
        &list);
    period_ms *= 2;
  }
}

TimeoutQueue::~TimeoutQueue() {
  for (List& list : lists_) {
    while (list.first) clear(*list.first);
    evtimer_del(&list.timer);
  }
}

void TimeoutQueue::set(Timeout& timeout, int64_t deadline_ms) {
  clear(timeout);
  timeout.deadline_ms_ = deadline_ms;
  insert(timeout);
}

void TimeoutQueue::clear(Timeout& timeout) {
  if (timeout.deadline_ms_ == 0) return;
  unlink(timeout);
  timeout.deadline_ms_ = 0;
}

void TimeoutQueue::insert(Timeout& timeout) {
  int64_t now_ms = loop_.now_ms();
  auto delay_ms = static_cast<uint64_t>(std::max<int64_t>(timeout.deadline_ms_ - now_ms, 1));
  int index =
      std::clamp(static_cast<int>(std::bit_width(delay_ms)) - 1 - kShortestLog2, 0, kLists - 1);
  List& list = lists_[static_cast<size_t>(index)];
  timeout.queue_ = this;
  timeout.list_ = static_cast<uint8_t>(index);
  timeout.look_ms_ = now_ms + list.period_ms;
  timeout.next_ = nullptr;
  timeout.previous_ = list.last;
  (list.last ? list.last->next_ : list.first) = &timeout;
  list.last = &timeout;
  // A timer left running for one that is gone costs one early look, less than stopping it.
  if (!evtimer_pending(&list.timer, nullptr)) start_timer(list);
}

void TimeoutQueue::unlink(Timeout& timeout) {
  List& list = lists_[timeout.list_];
  (timeout.previous_ ? timeout.previous_->next_ : list.first) = timeout.next_;
  (timeout.next_ ? timeout.next_->previous_ : list.last) = timeout.previous_;
  timeout.queue_ = nullptr;
}

void TimeoutQueue::look_at(List& list) {
  int64_t now_ms = loop_.now_ms();
  // What is set while this runs goes to the end, with a later look, or to another list.
  while (list.first && list.first->look_ms_ <= now_ms) {
    Timeout& timeout = *list.first;
    unlink(timeout);
    if (timeout.deadline_ms_ <= now_ms) {
      timeout.deadline_ms_ = 0;
      timeout.on_timeout();
    } else {
      insert(timeout);
    }
  }
  if (list.first && !evtimer_pending(&list.timer, nullptr)) start_timer(list);
}

void TimeoutQueue::start_timer(List& list) {
  int64_t delay_ms = std::max<int64_t>(list.first->look_ms_ - loop_.now_ms(), 1);
  timeval tv{.tv_sec = delay_ms / 1000, .tv_usec = delay_ms % 1000 * 1000};
  evtimer_add(&list.timer, &tv);
}

}  // namespace lb
