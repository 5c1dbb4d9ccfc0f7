// SPDX-License-Identifier: MIT
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace lb {

class EventLoop;

// Something to do once at the end of a turn, after all callbacks. Derive from it. Loop thread.
class TurnEnd {
 public:
  TurnEnd() = default;
  virtual ~TurnEnd();
  TurnEnd(const TurnEnd&) = delete;
  TurnEnd& operator=(const TurnEnd&) = delete;

  virtual void end_turn() = 0;

 private:
  friend class EventLoop;
  EventLoop* waits_in_ = nullptr;
};

// One libevent base and the thread that runs it. Everything that is bound to a loop is made, used
// and destroyed on the loop's thread, or before run() starts or after it returned; a mailbox is the
// only way in from other threads.
class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Runs turns (wait for events, call back, free what was retired) until stop().
  void run();
  // One turn; waits for events only if `wait` is set. For tests and for run().
  void run_turn(bool wait = true);
  // Ends run() after the present turn. Loop thread.
  void stop() { stopped_ = true; }

  // Monotonic time, read from the clock at most once a turn.
  int64_t now_us();
  int64_t now_ms() { return now_us() / 1000; }
  // Which turn this is.
  uint64_t turn() const { return turn_; }

  // Frees `object` at the end of the turn: nothing destroys itself in its own callback.
  template <typename T>
  void retire(std::unique_ptr<T> object) {
    retired_.push_back({object.release(), [](void* p) { delete static_cast<T*>(p); }});
  }

  // Calls `last.end_turn()` at the end of this turn, once however often it is asked for.
  void at_end_of_turn(TurnEnd& last) {
    if (last.waits_in_ != nullptr) return;
    last.waits_in_ = this;
    turn_ends_.push_back(&last);
  }

  event_base* base() { return base_; }

 private:
  struct Retired {
    void* object;
    void (*destroy)(void*);
  };
  friend class TurnEnd;
  void end_turn();
  void free_retired();

  event_base* base_;
  bool stopped_ = false;
  uint64_t turn_ = 0;
  int64_t now_us_ = 0;  // 0 = not read in this turn
  std::vector<TurnEnd*> turn_ends_;
  std::vector<Retired> retired_;
};

// Tells when a descriptor is readable or writable: level-triggered, persistent. Arm it only while
// its callback can make progress, or the loop spins. 144 bytes, no allocation; loop thread.
class IoEvent {
 public:
  enum Kind : short { kRead = EV_READ, kWrite = EV_WRITE };

  IoEvent() = default;
  ~IoEvent() { disarm(); }
  IoEvent(const IoEvent&) = delete;
  IoEvent& operator=(const IoEvent&) = delete;

  // Binds descriptor and callback (a member function of *owner), not yet armed.
  template <auto Method, typename T>
  void bind(EventLoop& loop, int fd, Kind kind, T* owner) {
    disarm();
    event_assign(
        &event_, loop.base(), fd, static_cast<short>(kind | EV_PERSIST),
        [](evutil_socket_t, short what, void* p) {
          auto* self = static_cast<IoEvent*>(p);
          if ((what & EV_TIMEOUT) != 0) self->restore();
          (static_cast<T*>(self->owner_)->*Method)();
        },
        this);
    owner_ = owner;
    bound_ = true;
  }

  bool armed() const { return armed_; }
  void arm() {
    if (armed_) return;
    event_add(&event_, nullptr);
    armed_ = true;
  }
  // Removes also a callback that is queued in this turn.
  void disarm() {
    if (!armed_) return;
    event_del_noblock(&event_);
    armed_ = false;
    again_ = false;
  }
  // While armed: whether to call back in the next turn, though the descriptor be silent: bytes of
  // it are held elsewhere.
  void set_again(bool again) {
    if (!armed_ || (!again && !again_)) return;
    constexpr timeval kNow{.tv_sec = 0, .tv_usec = 0};
    if (again) {
      event_add(&event_, &kNow);
    } else {
      event_remove_timer(&event_);
    }
    again_ = again;
  }
  bool bound() const { return bound_; }

 private:
  // libevent takes an event out when its timeout comes, and a timeout of zero does not repeat.
  void restore() {
    again_ = false;
    event_add(&event_, nullptr);
  }

  event event_;
  void* owner_ = nullptr;
  bool armed_ = false;
  bool again_ = false;
  bool bound_ = false;
};

// Calls a function once or again and again. For the control thread and for listeners; sessions use
// TimeoutQueue, which costs less. Loop thread.
class Timer {
 public:
  Timer(EventLoop& loop, std::function<void()> callback);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // (Re)starts it; an earlier start is forgotten.
  void start(std::chrono::milliseconds delay);
  void stop();
  bool pending() const;

 private:
  std::function<void()> callback_;
  event event_;
};

// Calls back when the process gets a signal. One loop of the process (control) watches signals.
class SignalEvent {
 public:
  SignalEvent(EventLoop& loop, int signal, std::function<void()> callback);
  ~SignalEvent();
  SignalEvent(const SignalEvent&) = delete;
  SignalEvent& operator=(const SignalEvent&) = delete;

 private:
  std::function<void()> callback_;
  event event_;
};

}  // namespace lb
