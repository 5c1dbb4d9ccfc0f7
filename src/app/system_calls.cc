// SPDX-License-Identifier: MIT
#include "app/system_calls.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sstream>
#include <string_view>

#include "common/log.h"

namespace lb {

namespace {

// With any arguments, by subject. A name that this architecture does not have says nothing.
constexpr std::string_view kAllowed[] = {
    // sockets
    "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom",
    "recvmmsg recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketpair",
    // descriptors
    "_llseek close close_range dup dup2 dup3 lseek pipe pipe2 pread64 pwrite64",
    "read readv splice write writev",
    // waiting
    "_newselect epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait",
    "eventfd eventfd2 poll ppoll pselect6 select signalfd4 timerfd_create timerfd_gettime",
    "timerfd_settime",
    // files, which Landlock limits; no chmod(2) and the like, which it does not
    "access faccessat faccessat2 fdatasync fstat fstat64 fstatat64 fsync getcwd lstat",
    "lstat64 newfstatat open openat readlink readlinkat rename renameat renameat2 stat",
    "stat64 statx unlink unlinkat",
    // memory
    "brk madvise membarrier mincore mremap munmap",
    // threads, their signals and their end
    "exit exit_group futex futex_time64 get_robust_list gettid restart_syscall rseq",
    "rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigtimedwait",
    "sched_getaffinity sched_getparam sched_getscheduler sched_yield set_robust_list",
    "set_tid_address sigaltstack sigreturn wait4 waitid",
    // clocks
    "clock_getres clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64",
    "gettimeofday nanosleep time times",
    // who and what this is
    "arch_prctl getegid geteuid getgid getgroups getpgrp getpid getppid getrandom getresgid",
    "getresuid getrlimit getrusage getuid sysinfo uname",
};

// Whose absence libraries are ready for, and ask for at every start.
constexpr const char* kMissing[] = {"clone3", "io_uring_setup", "openat2"};

constexpr int kFamilies[] = {AF_UNIX, AF_INET, AF_INET6};

constexpr unsigned long kGetTerminal2 = 0x802c542a;  // TCGETS2, which the C library has no name for

constexpr unsigned long kIoctls[] = {FIONBIO,     FIONREAD, SIOCOUTQ,      SIOCGIFINDEX,
                                     SIOCGIFNAME, TCGETS,   kGetTerminal2, TIOCGWINSZ};

// Not those that have signals sent to other processes.
constexpr int kFcntls[] = {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD,      F_SETFD,
                           F_GETFL, F_SETFL,         F_SETPIPE_SZ, F_GETPIPE_SZ};

constexpr int kHighest = 1024;  // of a system call's number

// Written by the handler of any thread.
std::array<std::atomic<uint32_t>, kHighest> g_refused;

struct FreeFilter {
  void operator()(scmp_filter_ctx filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, FreeFilter>;

#if defined(__x86_64__)
void set_result(ucontext_t& context, int error) {
  context.uc_mcontext.gregs[REG_RAX] = -error;
}
#elif defined(__aarch64__)
void set_result(ucontext_t& context, int error) {
  context.uc_mcontext.regs[0] = static_cast<unsigned long long>(-error);
}
#else
#error "where does this architecture keep the result of a system call?"
#endif

// Runs between any two instructions of any thread: nothing but atomics.
void on_refused(int, siginfo_t* info, void* context) {
  int number = info->si_syscall;
  if (number >= 0 && number < kHighest) {
    g_refused[static_cast<size_t>(number)].fetch_add(1, std::memory_order_relaxed);
  }
  set_result(*static_cast<ucontext_t*>(context), EPERM);
}

Status<> catch_refusals() {
  struct sigaction action {};
  action.sa_sigaction = on_refused;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigset_t refusals;
  sigemptyset(&refusals);
  sigaddset(&refusals, SIGSYS);
  // Where it is blocked the kernel ends the process instead.
  if (sigaction(SIGSYS, &action, nullptr) != 0 ||
      pthread_sigmask(SIG_UNBLOCK, &refusals, nullptr) != 0) {
    return fail(fmt::format("cannot catch SIGSYS: {}", strerror(errno)));
  }
  return Done{};
}

// Collects the rules; the first that libseccomp refuses is remembered.
class Rules {
 public:
  explicit Rules(scmp_filter_ctx filter) : filter_(filter) {}

  void allow(const char* name, std::initializer_list<scmp_arg_cmp> arguments = {}) {
    add(SCMP_ACT_ALLOW, name, arguments);
  }
  void answer(const char* name, int error, std::initializer_list<scmp_arg_cmp> arguments = {}) {
    add(SCMP_ACT_ERRNO(static_cast<uint32_t>(error)), name, arguments);
  }
  int error() const { return error_; }
  size_t count() const { return count_; }

 private:
  void add(uint32_t action, const char* name, std::initializer_list<scmp_arg_cmp> arguments) {
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) return;
    if (action == SCMP_ACT_ALLOW) ++count_;
    int added = seccomp_rule_add_array(filter_, action, number,
                                       static_cast<unsigned>(arguments.size()), arguments.begin());
    // Another architecture's.
    if (added == -EDOM || added == 0) return;
    if (error_ == 0) error_ = -added;
  }

  scmp_filter_ctx filter_;
  int error_ = 0;
  size_t count_ = 0;
};

scmp_arg_cmp equals(unsigned argument, uint64_t value) {
  return {.arg = argument, .op = SCMP_CMP_EQ, .datum_a = value, .datum_b = 0};
}
scmp_arg_cmp has_bits(unsigned argument, uint64_t bits, uint64_t value) {
  return {.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = bits, .datum_b = value};
}

void add_rules(Rules& rules) {
  for (std::string_view subject : kAllowed) {
    std::istringstream names{std::string(subject)};
    for (std::string name; names >> name;) rules.allow(name.c_str());
  }
  for (const char* name : kMissing) rules.answer(name, ENOSYS);
  for (int family : kFamilies) rules.allow("socket", {equals(0, static_cast<uint64_t>(family))});
  // The C library would like to know the machine's addresses (getaddrinfo) and can do without.
  rules.answer("socket", EAFNOSUPPORT, {equals(0, AF_NETLINK)});
  // The kernel takes 32 bits of the request; so does the comparison.
  for (unsigned long request : kIoctls) rules.allow("ioctl", {has_bits(1, UINT32_MAX, request)});
  for (int command : kFcntls) {
    for (const char* name : {"fcntl", "fcntl64"}) {
      rules.allow(name, {has_bits(1, UINT32_MAX, static_cast<uint64_t>(command))});
    }
  }
  // A thread, never a process.
  rules.allow("clone", {has_bits(0, CLONE_THREAD, CLONE_THREAD)});
  // No code is made at run time. Files are mapped for it: libmariadb loads its ways to log in late.
  rules.allow("mprotect", {has_bits(2, PROT_EXEC, 0)});
  for (const char* map : {"mmap", "mmap2"}) {
    rules.allow(map, {has_bits(2, PROT_EXEC, 0)});
    rules.allow(map,
                {has_bits(2, PROT_EXEC | PROT_WRITE, PROT_EXEC), has_bits(3, MAP_ANONYMOUS, 0)});
  }
  // Of itself: signals for abort(), limits.
  rules.allow("tgkill", {equals(0, static_cast<uint64_t>(getpid()))});
  rules.allow("prlimit64", {equals(0, 0)});
  rules.allow("prctl", {equals(0, PR_SET_NAME)});
  rules.allow("capget");
}

}  // namespace

// seccomp(2): a kernel that has filters looks at the program, which is not there.
bool has_system_call_filters() {
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, nullptr) == -1 && errno != EINVAL;
}

Result<size_t> restrict_system_calls() {
  if (auto caught = catch_refusals(); !caught) return Unexpected{caught.error()};
  Filter filter(seccomp_init(SCMP_ACT_TRAP));
  if (!filter) return fail("libseccomp makes no filter");
  Rules rules(filter.get());
  add_rules(rules);
  if (rules.error() != 0) {
    return fail(fmt::format("libseccomp refuses a rule: {}", strerror(rules.error())));
  }
  seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  // Without it kernels before 5.16 slow down every filtered thread, against an attack on programs
  // that run code of others (Speculative Store Bypass).
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_SSB, 1);
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  // A binary tree: calls whose arguments are looked at are found in a few steps.
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (int error = seccomp_load(filter.get()); error != 0) {
    return fail(fmt::format("the kernel takes no filter of system calls: {}", strerror(-error)));
  }
  return rules.count();
}

std::vector<std::string> refused_system_calls() {
  std::vector<std::string> refused;
  for (size_t number = 0; number < g_refused.size(); ++number) {
    uint32_t count = g_refused[number].exchange(0, std::memory_order_relaxed);
    if (count == 0) continue;
    std::unique_ptr<char, decltype(&std::free)> name(
        seccomp_syscall_resolve_num_arch(seccomp_arch_native(), static_cast<int>(number)),
        &std::free);
    std::string text = name ? name.get() : fmt::format("number {}", number);
    refused.push_back(count == 1 ? text : fmt::format("{}, {} times", text, count));
  }
  return refused;
}

}  // namespace lb
