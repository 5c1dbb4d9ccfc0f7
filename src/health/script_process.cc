// SPDX-License-Identifier: MIT
#include "health/script_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace lb {

namespace {

// What a service manager means for lb alone.
constexpr const char* kNotForScripts[] = {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
                                          "LISTEN_PID",    "LISTEN_FDS",   "LISTEN_FDNAMES"};

// But for the standard ones, too.
void close_all_but(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  int first = STDERR_FILENO + 1;
  for (int fd : kept) {
    if (fd > first) syscall(SYS_close_range, first, fd - 1, 0);
    first = std::max(first, fd + 1);
  }
  syscall(SYS_close_range, first, ~0U, 0);
}

// The forked process: has its end of the socket and /dev/null, and lives as long as the socket's
// other end. Signals meant for lb, or sent to all of its terminal, say nothing to it.
[[noreturn]] void become_host(int socket, ScriptLimits limits) {
  setsid();
  if (limits.user && !become(*limits.user)) _exit(1);
  prctl(PR_SET_NAME, "lb-scripts");
  prctl(PR_SET_CHILD_SUBREAPER, 1);  // so that children of scripts that ended are reaped here
  for (int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE}) {
    signal(number, SIG_IGN);
  }
  for (const char* name : kNotForScripts) unsetenv(name);
  limits.descriptors.push_back(socket);
  close_all_but(std::move(limits.descriptors));
  int null = open("/dev/null", O_RDWR);
  if (null < 0) _exit(1);
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, fd);
  if (null > STDERR_FILENO) close(null);
  ScriptHost(socket, std::move(limits.may_run), std::move(limits.errand), std::move(limits.desk))
      .run();
  _exit(0);
}

}  // namespace

Result<ScriptProcess> ScriptProcess::start(ScriptLimits limits) {
  auto failed = [] {
    return fail("cannot start the process that runs scripts: " + std::string(strerror(errno)));
  };
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    return failed();
  }
  Fd ours(ends[0]);
  Fd theirs(ends[1]);
  // Held back until the new process ignores them.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  pid_t pid = fork();
  if (pid == 0) become_host(theirs.get(), std::move(limits));
  int error = errno;
  sigprocmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  if (pid < 0) return failed();
  return ScriptProcess(std::move(ours), pid);
}

ScriptProcess::ScriptProcess(ScriptProcess&& other) noexcept
    : socket_(std::move(other.socket_)), pid_(std::exchange(other.pid_, 0)) {}

ScriptProcess& ScriptProcess::operator=(ScriptProcess&& other) noexcept {
  if (this != &other) {
    end();
    socket_ = std::move(other.socket_);
    pid_ = std::exchange(other.pid_, 0);
  }
  return *this;
}

void ScriptProcess::end() {
  socket_.reset();
  if (pid_ == 0) return;
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
}

}  // namespace lb
