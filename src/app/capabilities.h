// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "common/result.h"
#include "common/user.h"

namespace lb {

// What makes root of a process, given up for good. All of it is for a process with one thread,
// which those that it starts later take after.

// Becomes `user` (null: stays who it is) and keeps, of all capabilities that it has, the one to
// bind ports below 1024.
Status<> keep_low_ports_alone(const User* user);
// No program that it executes has more rights than it; no process of its user can look into its
// memory, and it leaves no core file.
Status<> refuse_new_privileges();

// While it lives, no capability of the calling thread is in effect: root has the rights of its name
// alone. False where that failed.
class CapabilitiesAside {
 public:
  CapabilitiesAside();
  ~CapabilitiesAside();
  CapabilitiesAside(const CapabilitiesAside&) = delete;
  CapabilitiesAside& operator=(const CapabilitiesAside&) = delete;

  explicit operator bool() const { return worked_; }

 private:
  uint64_t before_ = 0;
  bool worked_ = false;
};

// The capabilities of the calling thread that are in effect: "cap_net_bind_service", "none".
std::string capabilities_in_words();

}  // namespace lb
