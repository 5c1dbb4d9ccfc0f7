// SPDX-License-Identifier: MIT
#include "app/sandbox_proof.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "app/capabilities.h"
#include "app/file_rules.h"
#include "app/outside.h"
#include "app/sandbox.h"
#include "app/system_calls.h"
#include "common/address.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/named_file.h"
#include "common/named_thread.h"
#include "net/socket.h"

namespace lb {

namespace {

constexpr const char* kNewFile = "/lb-sandbox-proof";

// What a thread tries. `run` does it and says how that went: 0, or the errno.
struct Attempt {
  std::string what;
  bool must_work;
  bool is_of_files;  // up to Landlock
  std::function<int()> run;
};

int errno_of(long result) {
  return result < 0 ? errno : 0;
}

int try_open(const std::string& path, int flags) {
  Fd file(::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK, 0600));
  return file ? 0 : errno;
}

// As a worker may, whatever is found at the other end.
int try_connection() {
  auto listener = listen_stream(Address::parse_ip("127.0.0.1", 0).value(), {});
  if (!listener) return EACCES;
  auto client = connect_stream(local_address(listener->get()), nullptr);
  if (!client) return client.error();
  Fd accepted(accept4(listener->get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  int pipe[2];
  if (!accepted || pipe2(pipe, O_CLOEXEC) != 0) return errno;
  Fd from(pipe[0]);
  Fd to(pipe[1]);
  if (send(client->get(), "x", 1, MSG_NOSIGNAL) != 1) return errno;
  Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  epoll_event wanted{.events = EPOLLIN, .data = {}};
  epoll_event seen{};
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, accepted.get(), &wanted) != 0) return errno;
  if (epoll_wait(epoll.get(), &seen, 1, 10'000) != 1) return errno == 0 ? ETIMEDOUT : errno;
  return errno_of(splice(accepted.get(), nullptr, to.get(), nullptr, 1, SPLICE_F_NONBLOCK));
}

// Or puts another file in its place, for which one can be made beside it.
int try_change(const std::string& path) {
  int error = try_open(path, O_WRONLY);
  std::string beside = path + ".lb-sandbox-proof";
  if (error == 0 || try_open(beside, O_WRONLY | O_CREAT | O_EXCL) != 0) return error;
  unlink(beside.c_str());
  return 0;
}

int try_fork() {
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  return errno_of(pid);
}

int try_execve() {
  // Should it work, the exit code is that of a proof that failed.
  char name[] = "/bin/false";
  std::array<char*, 2> arguments = {name, nullptr};
  std::array<char*, 1> environment = {nullptr};
  return errno_of(execve(name, arguments.data(), environment.data()));
}

int try_memory_of(pid_t pid) {
  char byte = 0;
  iovec here{&byte, 1};
  iovec there{&byte, 1};
  return errno_of(process_vm_readv(pid, &here, 1, &there, 1, 0));
}

int try_code() {
  void* memory =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? errno : 0;
}

std::vector<Attempt> attempts_at_calls() {
  pid_t parent = getppid();
  return {
      {"execute a program", false, false, try_execve},
      {"start a process", false, false, try_fork},
      {"trace a process", false, false, [] { return errno_of(ptrace(PTRACE_TRACEME, 0, 0, 0)); }},
      {"read the memory of another process", false, false, [=] { return try_memory_of(parent); }},
      {"signal another process", false, false, [=] { return errno_of(kill(parent, 0)); }},
      {"have a signal sent to another process", false, false,
       [=] { return errno_of(fcntl(Fd(eventfd(0, EFD_CLOEXEC)).get(), F_SETOWN, parent)); }},
      {"become root", false, false, [] { return errno_of(syscall(SYS_setuid, 0)); }},
      {"make code", false, false, try_code},
      {"open a socket below IP", false, false,
       [] { return Fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) ? 0 : errno; }},
      {"mount a file system", false, false,
       [] { return errno_of(syscall(SYS_mount, "none", "/", "tmpfs", 0, nullptr)); }},
      {"leave its namespaces", false, false, [] { return errno_of(unshare(CLONE_NEWUSER)); }},
      {"load a program into the kernel", false, false,
       [] { return errno_of(syscall(SYS_bpf, 0, nullptr, 0)); }},
  };
}

std::vector<Attempt> attempts_at_files(const Sandbox& sandbox, const Config& config,
                                       const std::filesystem::path& config_file) {
  std::vector<Attempt> attempts;
  auto refused = [&](const std::string& path, uint8_t rights, const std::string& what, int flags) {
    // What somebody put beside the balancer's own files is not outside.
    if (covers(sandbox.files(), {path, rights})) return;
    attempts.push_back({what + " " + path, false, true, [=] { return try_open(path, flags); }});
  };
  refused(kNewFile, kMakeFiles, "make", O_WRONLY | O_CREAT);
  for (const char* path : {"/etc/passwd", "/etc/shadow", "/proc/1/status"}) {
    refused(path, kReadFiles, "read", O_RDONLY);
  }
  refused("/etc/passwd", kWriteFiles, "write", O_WRONLY);
  attempts.push_back({"list /", false, true, [] { return try_open("/", O_RDONLY | O_DIRECTORY); }});
  for (const NamedFile& named : config.sandbox.files) {
    if (named.use != FileUse::read) continue;
    attempts.push_back({"read " + named.path, true, true,
                        [path = named.path] { return try_open(path, O_RDONLY); }});
  }
  for (const std::string& exposed : sandbox.exposed()) {
    if (exposed == config_file) continue;
    attempts.push_back({"write " + exposed, false, true, [=] { return try_change(exposed); }});
  }
  if (config_file.empty()) return attempts;
  std::string file = std::filesystem::absolute(config_file).lexically_normal();
  attempts.push_back({"write " + file, false, true, [=] { return try_change(file); }});
  attempts.push_back({"read " + file, true, true, [=] { return try_open(file, O_RDONLY); }});
  return attempts;
}

// What the process outside hands over, and what not.
std::vector<Attempt> attempts_at_being_given(const Sandbox& sandbox, const Config& config,
                                             const std::filesystem::path& config_file) {
  if (!sandbox.trusts_config_file()) return {};
  const auto& named = config.sandbox.files;
  std::vector<Attempt> attempts;
  auto add = [&](const std::string& path, FileUse use, bool must_work) {
    bool is_named = std::any_of(named.begin(), named.end(), [&](const NamedFile& one) {
      return one.path == path && one.use == use;
    });
    if (is_named != must_work) return;
    const char* purpose = use == FileUse::read ? "to read" : "to write";
    attempts.push_back({fmt::format("be given {} {} it", path, purpose), must_work, false,
                        [=] { return ask_for_file(path, use) ? 0 : EACCES; }});
  };
  for (const std::string& path : {std::string("/etc/passwd"), config_file.native()}) {
    add(path, FileUse::read, false);
    add(path, FileUse::append, false);
  }
  auto read = std::find_if(named.begin(), named.end(),
                           [](const NamedFile& one) { return one.use == FileUse::read; });
  if (read == named.end()) return attempts;
  add(read->path, FileUse::append, false);
  add(read->path, FileUse::read, true);
  return attempts;
}

// Whether it went as it should; says how.
bool make(const Attempt& attempt, bool files_are_limited) {
  errno = 0;
  int error = attempt.run();
  bool worked = error == 0;
  bool is_free = attempt.is_of_files && !attempt.must_work && !files_are_limited;
  const char* word = worked == attempt.must_work ? (worked ? "works" : "refused")
                     : is_free                   ? "not limited"
                     : worked                    ? "WORKS"
                                                 : "REFUSED";
  fmt::print("  {:<12} {}{}\n", word, attempt.what,
             worked ? "" : fmt::format(": {}", strerror(error)));
  return worked == attempt.must_work || is_free;
}

std::string words_for(uint8_t rights) {
  std::string words;
  auto add = [&](uint8_t bit, const char* word) {
    if ((rights & bit) == 0) return;
    if (!words.empty()) words += ", ";
    words += word;
  };
  add(kReadFiles, "read");
  add(kWriteFiles, "write");
  add(kMakeFiles, "make and remove");
  add(kMakeSockets, "sockets");
  return words;
}

void show(const Sandbox& sandbox) {
  fmt::print("user: {}\n", sandbox.user() ? sandbox.user()->name : fmt::format("{}", geteuid()));
  fmt::print("capabilities: {}\n", capabilities_in_words());
  if (!sandbox.is_on()) return;
  if (sandbox.system_calls() == 0) {
    fmt::print("system calls: all\n");
  } else {
    fmt::print("system calls: {}, some with certain arguments only\n", sandbox.system_calls());
  }
  if (!sandbox.limits_files()) {
    fmt::print("files: as their permissions say\n");
  }
  for (const std::string& lack : sandbox.lacking()) fmt::print("not whole: {}\n", lack);
  if (!sandbox.limits_files()) return;
  fmt::print("files, and what is below a directory:\n");
  for (const FileRule& rule : sandbox.files()) {
    fmt::print("  {:<40} {}\n", rule.path.native(), words_for(rule.rights));
  }
}

// What the child found; its exit code.
enum Finding { kHolds = 0, kDoesNotHold = 1, kHoldsButForFiles = 2 };

// The child.
Finding enter_and_try(Sandbox sandbox, const Config& config,
                      const std::filesystem::path& config_file) {
  if (auto entered = sandbox.enter(); !entered) {
    fmt::print("lb: {}\n", entered.error().message);
    return kDoesNotHold;
  }
  show(sandbox);
  if (!sandbox.is_on()) return kHolds;
  auto attempts = attempts_at_calls();
  for (Attempt& attempt : attempts_at_files(sandbox, config, config_file)) {
    attempts.push_back(std::move(attempt));
  }
  for (Attempt& attempt : attempts_at_being_given(sandbox, config, config_file)) {
    attempts.push_back(std::move(attempt));
  }
  attempts.push_back({"serve a connection", true, false, try_connection});
  fmt::print("what a thread in it can do:\n");
  std::fflush(stdout);
  bool holds = true;
  start_thread("lb-0", [&] {
    for (const Attempt& attempt : attempts) {
      if (!make(attempt, sandbox.limits_files())) holds = false;
      std::fflush(stdout);
    }
  }).join();
  // Each of them would be a line of the log.
  size_t noted = refused_system_calls().size();
  fmt::print("noted for the log: {} kinds of refused system calls\n", noted);
  if (!holds || noted == 0) return kDoesNotHold;
  return sandbox.limits_files() ? kHolds : kHoldsButForFiles;
}

}  // namespace

bool prove_sandbox(const Config& config, const std::filesystem::path& config_file) {
  auto failed = [](const Error& error) {
    fmt::print("lb: {}\n", error.message);
    return false;
  };
  auto sandbox = Sandbox::plan(config, config_file);
  if (!sandbox) return failed(sandbox.error());
  auto outside = start_outside(config, config_file, *sandbox);
  if (!outside) return failed(outside.error());
  if (!sandbox->is_on()) {
    fmt::print("sandbox: {}\n", config.sandbox.enabled ? "not in this build" : "off");
  }
  std::fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    Finding finding = enter_and_try(std::move(*sandbox), config, config_file);
    std::fflush(stdout);
    _exit(finding);
  }
  int status = 0;
  bool has_ended = pid > 0 && waitpid(pid, &status, 0) == pid;
  int finding = has_ended && WIFEXITED(status) ? WEXITSTATUS(status) : kDoesNotHold;
  unlink(kNewFile);  // where the sandbox did not hold
  if (pid > 0 && WIFSIGNALED(status)) fmt::print("ended by signal {}\n", WTERMSIG(status));
  if (sandbox->is_on()) {
    fmt::print("sandbox: {}\n", finding == kHolds              ? "holds"
                                : finding == kHoldsButForFiles ? "holds, but for files"
                                                               : "DOES NOT HOLD");
  }
  return finding == kHolds;
}

}  // namespace lb
