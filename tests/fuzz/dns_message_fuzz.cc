// SPDX-License-Identifier: MIT
// The answer to a dns check over any bytes; no cut of a whole answer with records is whole.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "health/dns_message.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const lb::DnsQuestion question{"db.example", 1};
  auto reply = lb::parse_dns_reply(bytes, 0x1234, question);
  if (reply.rcode > 15 || lb::dns_rcode_name(reply.rcode).empty()) std::abort();
  if (reply.kind != lb::DnsReply::Kind::whole || reply.rcode != 0) return 0;
  for (size_t cut = 0; cut < size && cut < 28; ++cut) {
    auto part = lb::parse_dns_reply(bytes.substr(0, cut), 0x1234, question);
    if (part.kind == lb::DnsReply::Kind::whole) std::abort();
  }
  return 0;
}
