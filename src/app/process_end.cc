// SPDX-License-Identifier: MIT
// How the process lets its sessions finish, and ends.
#include <algorithm>
#include <utility>

#include "app/process.h"
#include "app/service_notification.h"
#include "common/log.h"

namespace lb {

void Process::terminate() {
  if (terminating_) {
    log::warning("second signal: quitting at once");
    return quit();
  }
  terminating_ = true;
  if (on_terminate_) on_terminate_();
  notify_service("STOPPING=1");
  log::info("draining: open connections may finish within {} ms",
            config_->runtime.drain_timeout.count());
  // As if every listener had been removed: the workers know how to let them go.
  Config nothing = *config_;
  nothing.listeners.clear();
  config_ = std::make_shared<const Config>(std::move(nothing));
  sockets_.clear();
  publish();
  for (auto& worker : team_.workers) worker->post_drain();
}

void Process::drained(size_t worker) {
  drained_.insert(worker);
  if (!terminating_ || drained_.size() < workers_) return;
  // One that had reported may have been passed a connection since; it will report again.
  bool empty = std::all_of(team_.loads.begin(), team_.loads.end(), [](const auto& load) {
    return load.sessions.load(std::memory_order_acquire) == 0;
  });
  if (empty) quit();
}

void Process::quit() {
  loop_.stop();
}

// Nobody is told that lb is ready.
void Process::give_up(const std::string& why) {
  log::error("{}: {}", source_.name, with_reason(why));
  exit_code_ = 1;
  quit();
}

}  // namespace lb
