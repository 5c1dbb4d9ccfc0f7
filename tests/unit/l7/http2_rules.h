// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace lb {

// One rule of RFC 9113 that a client can break, or just keep: what it says behind its preface and
// SETTINGS (or instead of them), and what becomes of it: "1:200" for a response, "RST 1 ERROR",
// "GOAWAY ERROR", in order.
struct Http2Rule {
  const char* what;
  std::string said;
  std::string seen;
  bool is_opening = false;  // the preface is part of what is said
};

std::vector<Http2Rule> http2_rules_of_frames();
std::vector<Http2Rule> http2_rules_of_streams();
std::vector<Http2Rule> http2_rules_of_fields();
std::vector<Http2Rule> http2_rules_of_targets();

}  // namespace lb
