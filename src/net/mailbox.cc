// SPDX-License-Identifier: MIT
#include "net/mailbox.h"

#include <sys/eventfd.h>

#include <cstdint>
#include <cstdlib>

namespace lb {

Mailbox::Mailbox(EventLoop& loop) : wakeup_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!wakeup_) std::abort();  // without it no thread can be reached
  readable_.bind<&Mailbox::on_readable>(loop, wakeup_.get(), IoEvent::kRead, this);
  readable_.arm();
}

void Mailbox::post(Task task) {
  bool was_empty;
  {
    std::lock_guard lock(mutex_);
    was_empty = tasks_.empty();
    tasks_.push_back(std::move(task));
  }
  if (was_empty) {
    uint64_t one = 1;
    [[maybe_unused]] ssize_t written = write(wakeup_.get(), &one, sizeof(one));
  }
}

void Mailbox::on_readable() {
  uint64_t count;
  [[maybe_unused]] ssize_t got = read(wakeup_.get(), &count, sizeof(count));
  std::vector<Task> batch;
  {
    std::lock_guard lock(mutex_);
    batch.swap(tasks_);
  }
  for (Task& task : batch) task();
}

}  // namespace lb
