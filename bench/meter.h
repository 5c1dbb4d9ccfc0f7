// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <ctime>
#include <sstream>
#include <string>
#include <vector>

#include "sockets.h"

namespace lb::bench {

// CPU time of a process: user and system, all threads, the ended ones too, in nanoseconds as the
// scheduler counts them. The clock of any process may be read; the reading brings it up to date.
inline double process_cpu_s(pid_t pid) {
  clockid_t clock{};
  timespec now{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &now) != 0) {
    die("no CPU clock of process " + std::to_string(pid) + ": has it ended?");
  }
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

inline double wall_s() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Cuts the steady phase out of a run: what the watched processes used, and the units done, between
// the end of the warm-up and the end of the run. Ask running() once per turn of the loop.
class Meter {
 public:
  explicit Meter(Options& options)
      : warmup_s_(options.seconds("warmup", 0.3)),
        seconds_(options.seconds("seconds", 1)),
        max_units_(options.number("max-units", UINT64_MAX)),
        proxy_(parse_pids(options.text("pids", ""))),
        servers_(parse_pids(options.text("server-pids", ""))),
        softirq_(parse_pids(options.text("softirq-pids", ""))) {
    alarm(static_cast<unsigned>(warmup_s_ + seconds_ + 20));  // a proxy that hangs ends the run
  }

  // The last call of a run returns false.
  bool running(uint64_t units) {
    const double now = wall_s();
    if (began_ == 0) began_ = now;
    if (!steady_) {
      if (now - began_ < warmup_s_) return true;
      steady_ = true;
      start_ = take(units);
      return true;
    }
    if (now - start_.wall < seconds_ && units - start_.units < max_units_) return true;
    end_ = take(units);
    return false;
  }
  bool steady() const { return steady_; }

  void print(uint64_t all_units, uint64_t errors) const {
    std::printf(
        "{\"units\": %llu, \"wall_s\": %.6f, \"cpu_s\": %.6f, "
        "\"softirq_s\": %.6f, \"all_cpu_s\": %.6f, \"all_units\": %llu, \"errors\": %llu}\n",
        ull(end_.units - start_.units), end_.wall - start_.wall, end_.proxy - start_.proxy,
        end_.softirq - start_.softirq, end_.all - start_.all, ull(all_units), ull(errors));
  }

 private:
  struct Reading {
    double wall = 0, proxy = 0, softirq = 0, all = 0;
    uint64_t units = 0;
  };

  static unsigned long long ull(uint64_t value) { return value; }

  static std::vector<pid_t> parse_pids(const std::string& text) {
    std::vector<pid_t> pids;
    std::istringstream stream(text);
    for (std::string pid; std::getline(stream, pid, ',');) pids.push_back(std::stoi(pid));
    return pids;
  }
  static double total(const std::vector<pid_t>& pids) {
    double sum = 0;
    for (const pid_t pid : pids) sum += process_cpu_s(pid);
    return sum;
  }
  Reading take(uint64_t units) const {
    const double proxy = total(proxy_);
    const double softirq = total(softirq_);
    const double all = proxy + softirq + total(servers_) + process_cpu_s(getpid());
    return {wall_s(), proxy, softirq, all, units};
  }

  double warmup_s_;
  double seconds_;
  uint64_t max_units_;
  std::vector<pid_t> proxy_;
  std::vector<pid_t> servers_;
  std::vector<pid_t> softirq_;
  double began_ = 0;
  bool steady_ = false;
  Reading start_, end_;
};

}  // namespace lb::bench
