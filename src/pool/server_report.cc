// SPDX-License-Identifier: MIT
#include "pool/server_report.h"

#include "common/hash.h"
#include "common/log.h"

namespace lb {

std::string server_id(const std::string& pool, const std::string& name) {
  // No name holds a NUL, so that no other pair makes the same bytes.
  return fmt::format("{:016x}", hash64(pool + '\0' + name));
}

}  // namespace lb
