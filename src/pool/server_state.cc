// SPDX-License-Identifier: MIT
#include "pool/server_state.h"

#include <algorithm>

namespace lb {

const char* to_string(Health health) {
  switch (health) {
    case Health::unknown:
      return "unknown";
    case Health::healthy:
      return "healthy";
    case Health::unhealthy:
      return "unhealthy";
  }
  return "?";
}

const char* to_string(AdminState state) {
  switch (state) {
    case AdminState::ready:
      return "ready";
    case AdminState::drain:
      return "drain";
    case AdminState::maintenance:
      return "maintenance";
  }
  return "?";
}

const char* to_string(ServerStatus status) {
  switch (status) {
    case ServerStatus::unknown:
      return "unknown";
    case ServerStatus::healthy:
      return "healthy";
    case ServerStatus::unhealthy:
      return "unhealthy";
    case ServerStatus::overloaded:
      return "overloaded";
    case ServerStatus::ejected:
      return "ejected";
    case ServerStatus::draining:
      return "draining";
    case ServerStatus::maintenance:
      return "maintenance";
  }
  return "?";
}

ServerStatus status_of(const ServerFacts& facts) {
  if (facts.removed) return ServerStatus::draining;
  AdminState wanted = std::max(facts.admin, facts.agent);
  if (wanted == AdminState::maintenance) return ServerStatus::maintenance;
  if (wanted == AdminState::drain) return ServerStatus::draining;
  if (facts.health == Health::unhealthy) return ServerStatus::unhealthy;
  if (facts.ejected) return ServerStatus::ejected;
  if (facts.health == Health::unknown) return ServerStatus::unknown;
  return facts.overloaded || facts.overloaded_in_responses ? ServerStatus::overloaded
                                                           : ServerStatus::healthy;
}

bool is_usable(ServerStatus status) {
  return status == ServerStatus::healthy || status == ServerStatus::overloaded ||
         status == ServerStatus::unknown;
}

std::optional<StatusChange> ServerState::update(const ServerFacts& facts, const std::string& reason,
                                                int64_t at_ms) {
  ServerStatus before = status();
  facts_ = facts;
  if (status() == before) return std::nullopt;
  if (history_.size() == kHistory) history_.pop_front();
  history_.push_back({at_ms, before, status(), reason});
  return history_.back();
}

}  // namespace lb
