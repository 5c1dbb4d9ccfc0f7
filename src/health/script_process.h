// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

#include "common/fd.h"
#include "common/result.h"
#include "common/user.h"
#include "health/script_host.h"

namespace lb {

// What the process of scripts may do: as whom they run (absent: as the caller), and which; and what
// it does beside that.
struct ScriptLimits {
  std::optional<User> user = {};
  ScriptHost::MayRun may_run = {};
  ScriptHost::Errand errand = {};
  ScriptHost::Desk desk = {};
  std::vector<int> descriptors = {};  // that the errand and the desk need
};

// The process that runs scripts for this one: forked while there is one thread, before privileges
// and views of the system are given up, so that running a command never copies a process with
// threads and thousands of connections. It serves requests on a socket (health/script_message.h)
// and ends, with all that it runs, when the socket's other end does, however that came.
//
// A script is the leader of a process group of its own, has /dev/null as standard input, one pipe
// as output and error, and no other descriptor. Its group is killed when it ends, at its deadline,
// or when it printed more than 64 KiB; nothing is left unreaped. At most 500 run at a time; more
// requests wait in the socket.
class ScriptProcess {
 public:
  // None: whoever asks it gets no answer.
  ScriptProcess() = default;
  // Forks. The error is a sentence.
  static Result<ScriptProcess> start(ScriptLimits limits = {});

  ScriptProcess(ScriptProcess&& other) noexcept;
  ScriptProcess& operator=(ScriptProcess&& other) noexcept;
  // Ends it and waits for that.
  ~ScriptProcess() { end(); }

  // A non-blocking SOCK_SEQPACKET; -1 when there is no process.
  int socket() const { return socket_.get(); }
  pid_t pid() const { return pid_; }
  void end();

 private:
  ScriptProcess(Fd socket, pid_t pid) : socket_(std::move(socket)), pid_(pid) {}

  Fd socket_;
  pid_t pid_ = 0;
};

}  // namespace lb
