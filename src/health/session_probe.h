// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "health/probe.h"

namespace lb {

// A bound on how far a replica is behind, which outlives the moments when it cannot tell, such as
// the death of its primary. What it tells is taken for a bound too: an idle primary makes old
// transactions look like lag. In t seconds a lag grows by t at most.
class ReplayLag {
 public:
  // What the server says now; nothing when it does not know. Returns what is known, if anything.
  std::optional<milliseconds> add(std::optional<milliseconds> told, int64_t now_ms);

 private:
  std::optional<milliseconds> bound_;
  int64_t at_ms_ = 0;
};

// What the probes of databases have in common: they log in once and then ask in the same session,
// check after check. A kept session that turns out to be lost is renewed within the same check, so
// that a restart between two checks is no failure. Control thread.
class SessionProbe : public Probe {
 public:
  void start(Callback done) final;
  void cancel() final;

 protected:
  SessionProbe(EventLoop& loop, const HealthCheckConfig& config);

  // Begins a session, and asks when it has one.
  virtual void log_in() = 0;
  // Asks in the session that there is.
  virtual void ask() = 0;
  virtual bool has_session() const = 0;
  // Ends the session, or what there is of it.
  virtual void drop() = 0;

  // The server's answer: what it is, and when it is a replica, how far behind as far as it knows.
  void is_primary();
  void is_replica(std::optional<milliseconds> lag);
  // It is alive, and asked for no role.
  void answered(std::string detail);
  // Anything else that it says. The session ends.
  void refused(std::string_view why);
  // The connection is gone, or there never was one.
  void lost(std::string_view why);
  void lacks_resources(std::string_view why);

  const HealthCheckConfig config_;

 private:
  void conclude(ProbeResult result);
  bool is_wrong_role(DatabaseRole role);

  EventLoop& loop_;
  Callback done_;
  ProbeResult result_;
  Timer tell_;
  ReplayLag lag_;
  bool renewed_ = false;  // or new from the start: not to be renewed again
};

// The first line of what a server or a library says, short and without blanks at its ends.
std::string first_line(std::string_view text);
// "10.0.0.1", "fe80::1%eth0": as libraries take it, without brackets and port.
std::string numeric_host(const Address& address);
// The errno of an attempt to have one more socket; 0 when that works. For libraries that do not
// tell a lack of descriptors from a fault of the server's.
int descriptor_error();

}  // namespace lb
