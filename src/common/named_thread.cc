// SPDX-License-Identifier: MIT
#include "common/named_thread.h"

#include <pthread.h>

#include <csignal>
#include <utility>

namespace lb {

std::thread start_thread(const std::string& name, std::function<void()> body) {
  // A new thread inherits the mask, so that no signal finds it in between.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  // The kernel's answer to a system call that is not allowed: where it is blocked the process ends.
  sigdelset(&all, SIGSYS);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread([name, body = std::move(body)] {
    pthread_setname_np(pthread_self(), name.c_str());
    body();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace lb
