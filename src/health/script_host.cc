// SPDX-License-Identifier: MIT
#include "health/script_host.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "common/clock.h"
#include "common/log.h"

namespace lb {

namespace {

constexpr size_t kMostScripts = 500;  // each has a descriptor, of which a process may have 1,024
constexpr size_t kMostOutput = 64 * 1024;
constexpr size_t kLongestLine = 200;
constexpr int64_t kErrandPause_ms = 2'000;
constexpr int kCannotRun = 127;  // as a shell says it

// In the forked child: becomes the command. What it says before is the script's first line.
[[noreturn]] void become_script(const ScriptRequest& request, int output) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // should the script process be killed
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number = 1; number < SIGRTMIN; ++number) signal(number, SIG_DFL);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  const auto& [name, address, host, port] = request.server;
  setenv("LB_SERVER_NAME", name.c_str(), 1);
  setenv("LB_SERVER_ADDRESS", address.c_str(), 1);
  setenv("LB_SERVER_HOST", host.c_str(), 1);
  setenv("LB_SERVER_PORT", port.c_str(), 1);
  std::vector<char*> words;
  words.reserve(request.command.size() + 1);
  for (const std::string& word : request.command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execvp(words[0], words.data());
  std::string complaint = fmt::format("cannot run {}: {}\n", words[0], strerror(errno));
  (void)!write(STDOUT_FILENO, complaint.data(), complaint.size());
  _exit(kCannotRun);
}

std::string ending(int status) {
  if (WIFSIGNALED(status)) {
    return fmt::format("killed by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  }
  return fmt::format("exit status {}", WEXITSTATUS(status));
}

}  // namespace

ScriptHost::ScriptHost(int socket, MayRun may_run, Errand errand, Desk desk)
    : socket_(socket),
      may_run_(std::move(may_run)),
      errand_(std::move(errand)),
      desk_(std::move(desk)) {
  signal(SIGCHLD, SIG_DFL);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_SETMASK, &child, nullptr);
  child_ended_ = Fd(signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC));
}

void ScriptHost::run() {
  if (!child_ended_) return;
  std::vector<pollfd> waiting;
  while (true) {
    short requests = scripts_.size() < kMostScripts ? POLLIN : 0;
    waiting.assign({{.fd = socket_, .events = requests, .revents = 0},
                    {.fd = child_ended_.get(), .events = POLLIN, .revents = 0},
                    {.fd = desk_.socket, .events = POLLIN, .revents = 0}});
    const size_t first_output = waiting.size();
    for (const Script& script : scripts_) {
      waiting.push_back(
          {.fd = script.output ? script.output.get() : -1, .events = POLLIN, .revents = 0});
    }
    poll(waiting.data(), waiting.size(), wait_ms());
    for (size_t i = 0; i < scripts_.size(); ++i) {
      if (waiting[first_output + i].revents != 0) read_output(scripts_[i]);
    }
    if (waiting[1].revents != 0) reap();
    kill_late_ones();
    if (errand_) run_errand();
    if (waiting[2].revents != 0 && !desk_.serve()) desk_.socket = -1;
    if (waiting[0].revents != 0 && !take_requests()) break;
  }
  for (Script& script : scripts_) ::kill(-script.pid, SIGKILL);
  for (Script& script : scripts_) waitpid(script.pid, nullptr, 0);
}

void ScriptHost::run_errand() {
  if (monotonic_ms() < errand_ms_) return;
  errand_();
  errand_ms_ = monotonic_ms() + kErrandPause_ms;
}

int ScriptHost::wait_ms() const {
  int64_t first_ms = errand_ ? errand_ms_ : INT64_MAX;
  for (const Script& script : scripts_) {
    if (script.deadline_ms > 0) first_ms = std::min(first_ms, script.deadline_ms);
  }
  if (first_ms == INT64_MAX) return -1;
  return static_cast<int>(std::clamp<int64_t>(first_ms - monotonic_ms(), 0, 60'000));
}

// False at the end of the socket's other end.
bool ScriptHost::take_requests() {
  std::string buffer(kMaxScriptMessage, '\0');
  while (scripts_.size() < kMostScripts) {
    ssize_t got = recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    auto request = parse_script_request({buffer.data(), static_cast<size_t>(got)});
    // Whoever asked has given up by then.
    if (request && request->deadline_ms > monotonic_ms()) begin(*request);
  }
  return true;
}

void ScriptHost::begin(const ScriptRequest& request) {
  auto failed = [&] {
    answer({.id = request.id, .detail = fmt::format("cannot run a script: {}", strerror(errno))});
  };
  if (may_run_ && !may_run_(request.command)) {
    return answer({.id = request.id, .detail = "not run: the file names no such command"});
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return failed();
  Fd ours(ends[0]);
  Fd theirs(ends[1]);
  fcntl(ours.get(), F_SETFL, O_NONBLOCK);  // ours alone: scripts expect a pipe that blocks
  pid_t pid = fork();
  if (pid < 0) return failed();
  if (pid == 0) become_script(request, theirs.get());
  setpgid(pid, pid);  // here too: whoever comes second changes nothing
  scripts_.push_back({.id = request.id,
                      .pid = pid,
                      .deadline_ms = request.deadline_ms,
                      .output = std::move(ours)});
}

void ScriptHost::read_output(Script& script) {
  char buffer[16'384];
  // A pipe holds 64 KiB: one that is kept full ends by the limit, not by our patience.
  while (script.output) {
    ssize_t got = read(script.output.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return script.output.reset();
    std::string_view bytes(buffer, static_cast<size_t>(got));
    script.printed += bytes.size();
    if (!script.line_ended) {
      std::string_view line = bytes.substr(0, bytes.find_first_of("\r\n"));
      script.first_line += line.substr(0, kLongestLine - script.first_line.size());
      script.line_ended = line.size() < bytes.size() || script.first_line.size() == kLongestLine;
    }
    if (script.printed > kMostOutput) {
      script.output.reset();
      kill(script, "printed more than 64 KiB");
    }
  }
}

void ScriptHost::kill_late_ones() {
  int64_t now_ms = monotonic_ms();
  for (Script& script : scripts_) {
    if (script.deadline_ms > 0 && now_ms >= script.deadline_ms) kill(script, "timeout");
  }
}

// It is not reaped yet, so the group is its own.
void ScriptHost::kill(Script& script, const char* why) {
  if (script.deadline_ms == 0) return;
  ::kill(-script.pid, SIGKILL);
  script.deadline_ms = 0;
  script.killed_because = why;
}

// Scripts, and what scripts left behind.
void ScriptHost::reap() {
  signalfd_siginfo ignored;
  while (read(child_ended_.get(), &ignored, sizeof(ignored)) > 0) {
  }
  while (true) {
    siginfo_t ended{};
    if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == 0) return;
    auto script = std::find_if(scripts_.begin(), scripts_.end(),
                               [&](const Script& one) { return one.pid == ended.si_pid; });
    // Before its number can become another's: the rest of its group goes with it.
    if (script != scripts_.end()) ::kill(-script->pid, SIGKILL);
    int status = 0;
    if (waitpid(ended.si_pid, &status, 0) < 0 || script == scripts_.end()) continue;
    finish(*script, status);
    scripts_.erase(script);
  }
}

void ScriptHost::finish(Script& script, int status) {
  read_output(script);
  bool passed = script.killed_because.empty() && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  std::string detail = script.killed_because.empty() ? ending(status) : script.killed_because;
  if (passed && !script.first_line.empty()) {
    detail = script.first_line;
  } else if (!script.first_line.empty()) {
    detail += ": " + script.first_line;
  }
  answer({.id = script.id, .passed = passed, .detail = std::move(detail)});
}

// Nobody waits for lb to take it: whoever asked counts a lost answer as late.
void ScriptHost::answer(const ScriptAnswer& answer) {
  std::string bytes = to_bytes(answer);
  send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace lb
