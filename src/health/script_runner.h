// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "health/script_process.h"
#include "net/event_loop.h"

namespace lb {

// Has commands run by the script process and tells how they ended. Control thread; never blocks.
class ScriptRunner {
 public:
  struct Outcome {
    bool passed = false;
    bool ran = true;  // false: for want of a process to run it in
    std::string detail = {};
  };
  using Callback = std::function<void(const Outcome&)>;

  ScriptRunner(EventLoop& loop, ScriptProcess process);
  ~ScriptRunner();

  // Exit 0 passes. Calls back once, never from within run(), unless it is forgotten before. It is
  // killed after `timeout`, forgotten or not. Returns a number for forget().
  uint64_t run(const std::vector<std::string>& command, CheckedServer server,
               std::chrono::milliseconds timeout, Callback done);
  void forget(uint64_t id);

 private:
  struct Unsent {
    uint64_t id;
    std::string bytes;
  };

  void on_readable();
  void on_writable();
  void process_ended();
  void fail_all();

  ScriptProcess process_;
  IoEvent readable_;
  IoEvent writable_;
  Timer fail_later_;
  std::deque<Unsent> unsent_;
  std::map<uint64_t, Callback> waiting_;
  uint64_t last_id_ = 0;
};

}  // namespace lb
