// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>

#include "l7/http_message.h"

namespace lb {

// Writes the header blocks (RFC 7541) of one connection, by the table that everybody has and by
// literals: it remembers nothing of what it sent, so an idle connection holds nothing for it. The
// first block tells the peer to keep no table either. One thread.
class HpackEncoder {
 public:
  // Appends fields to a block, their names in lower case.
  void encode(std::span<const Field> fields, std::string& out);

 private:
  bool has_begun_ = false;
};

}  // namespace lb
