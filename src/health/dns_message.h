// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/health_check.h"

namespace lb {

// A DNS query (RFC 1035, 4.1) with recursion desired, without the length that TCP puts before it.
std::string dns_query(uint16_t id, const DnsQuestion& question);

// What a datagram or a TCP message of a server is.
struct DnsReply {
  enum class Kind {
    other,      // no answer to our query: late, forged or noise
    malformed,  // an answer to it that is broken
    whole,
    truncated,  // to be asked again over TCP
  };
  Kind kind = Kind::other;
  uint8_t rcode = 0;
  uint16_t answers = 0;  // records in the answer section
};

// Reads the answer to dns_query(id, question). Every record's frame is checked: names, lengths and
// that nothing is missing.
DnsReply parse_dns_reply(std::string_view message, uint16_t id, const DnsQuestion& question);

// "NOERROR", "SERVFAIL" ..., "rcode 11".
std::string dns_rcode_name(uint8_t rcode);

}  // namespace lb
