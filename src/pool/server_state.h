// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace lb {

// What checks say of a server.
enum class Health { unknown, healthy, unhealthy };

// What an operator wants of a server: to serve, to get no new clients, or to get nobody at all.
enum class AdminState { ready, drain, maintenance };

// What a server counts as: decides whether it is picked, and what people are shown.
enum class ServerStatus {
  unknown,  // not checked yet
  healthy,
  unhealthy,
  overloaded,  // healthy, but only used where no other is
  ejected,     // live traffic failed there too often; comes back by itself
  draining,    // open work goes on, no new clients
  maintenance,
};

const char* to_string(Health health);
const char* to_string(AdminState state);
const char* to_string(ServerStatus status);

// Everything that a server's status follows from.
struct ServerFacts {
  Health health = Health::unknown;
  bool overloaded = false;  // as its checks say
  bool ejected = false;
  AdminState admin = AdminState::ready;
  bool removed = false;                  // from the configuration, or its name has lost the address
  AdminState agent = AdminState::ready;  // what the agent at the server wants
  bool overloaded_in_responses = false;  // as its answers to clients say
};

// The table stands in docs/operations.md: who takes a server out counts before what is known of it.
ServerStatus status_of(const ServerFacts& facts);

// A server of such a status may get new clients.
bool is_usable(ServerStatus status);

struct StatusChange {
  int64_t at_ms = 0;  // Unix time
  ServerStatus from = ServerStatus::unknown;
  ServerStatus to = ServerStatus::unknown;
  std::string reason;
};

struct CheckRecord {
  int64_t at_ms = 0;  // Unix time of its end
  bool passed = false;
  std::chrono::milliseconds took{0};
  std::string detail;
  std::optional<double> load = {};  // that the server reported, as LoadReport has it
};

// The state machine of one server: its facts, the status that follows, and how that came about.
// Control thread.
class ServerState {
 public:
  static constexpr size_t kHistory = 20;

  explicit ServerState(int64_t added_at_ms) : added_at_ms_(added_at_ms) {}

  const ServerFacts& facts() const { return facts_; }
  ServerStatus status() const { return status_of(facts_); }
  int64_t added_at_ms() const { return added_at_ms_; }
  // The last kHistory changes, the oldest first.
  const std::deque<StatusChange>& history() const { return history_; }

  // Where a server begins, which is no change.
  void begin(const ServerFacts& facts) { facts_ = facts; }
  // The change of status, if the new facts make one; it is remembered.
  std::optional<StatusChange> update(const ServerFacts& facts, const std::string& reason,
                                     int64_t at_ms);

 private:
  const int64_t added_at_ms_;
  ServerFacts facts_;
  std::deque<StatusChange> history_;
};

}  // namespace lb
