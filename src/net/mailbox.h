// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/fd.h"
#include "net/event_loop.h"

namespace lb {

// A function to run once, on another thread. Move-only, so that it can carry descriptors and
// owners.
class Task {
 public:
  template <typename F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Task>) Task(F&& function)
      : function_(std::make_unique<Holder<std::remove_cvref_t<F>>>(std::forward<F>(function))) {}
  void operator()() { function_->call(); }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual void call() = 0;
  };
  template <typename F>
  struct Holder final : Base {
    explicit Holder(F&& f) : function(std::move(f)) {}
    explicit Holder(const F& f) : function(f) {}
    void call() override { function(); }
    F function;
  };
  std::unique_ptr<Base> function_;
};

// The one way into a loop from other threads: tasks are run by the loop's thread in the order of
// posting. Unbounded, since a poster never waits; what is posted is rare (snapshots, failures,
// descriptors passed on). Tasks still queued when it is destroyed are destroyed unrun.
class Mailbox {
 public:
  explicit Mailbox(EventLoop& loop);
  // Any thread. One system call if the mailbox was empty, none else.
  void post(Task task);

 private:
  void on_readable();

  Fd wakeup_;  // eventfd
  IoEvent readable_;
  std::mutex mutex_;
  std::vector<Task> tasks_;
};

}  // namespace lb
