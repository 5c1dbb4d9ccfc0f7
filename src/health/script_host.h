// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/fd.h"
#include "health/script_message.h"

namespace lb {

// What the script process does: takes requests from its socket, runs each as a process group, and
// answers with how it ended. One thread, one poll(2); health/script_process.h has the promises.
class ScriptHost {
 public:
  // Whether a command may be run; empty: all may.
  using MayRun = std::function<bool(const std::vector<std::string>& command)>;

  // What else this process does every few seconds for who forked it; empty: nothing.
  using Errand = std::function<void()>;

  // Another socket, that this process serves beside its own.
  struct Desk {
    int socket = -1;                   // -1: none
    std::function<bool()> serve = {};  // when something came; false: its other end is closed
  };

  // The sockets stay the caller's.
  ScriptHost(int socket, MayRun may_run, Errand errand, Desk desk);

  // Returns when the socket's other end is closed; by then nothing that it started runs.
  void run();

 private:
  struct Script {
    uint64_t id;
    pid_t pid;            // and process group
    int64_t deadline_ms;  // 0: it was killed, its end is near
    Fd output;            // empty when its end was seen
    size_t printed = 0;
    std::string first_line = {};
    bool line_ended = false;
    std::string killed_because = {};
  };

  void run_errand();
  int wait_ms() const;
  bool take_requests();
  void begin(const ScriptRequest& request);
  void read_output(Script& script);
  void kill_late_ones();
  void kill(Script& script, const char* why);
  void reap();
  void finish(Script& script, int status);
  void answer(const ScriptAnswer& answer);

  const int socket_;
  const MayRun may_run_;
  const Errand errand_;
  Desk desk_;
  int64_t errand_ms_ = 0;  // when it is due
  Fd child_ended_;         // signalfd of SIGCHLD
  std::vector<Script> scripts_;
};

}  // namespace lb
