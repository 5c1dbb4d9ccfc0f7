// SPDX-License-Identifier: MIT
#include "pool/source_key.h"

#include <string_view>

#include "common/hash.h"
#include "net/client_hello.h"

namespace lb {

namespace {

constexpr size_t kIpv6SourceBytes = 8;

std::string_view source_bytes(const Address& client) {
  if (client.is_ipv4()) return client.bytes();
  if (client.is_ipv6()) return client.bytes().substr(0, kIpv6SourceBytes);
  return {};
}

}  // namespace

uint64_t source_ip_key(const Address& client) {
  return hash64(source_bytes(client));
}

uint64_t source_ip_port_key(const Address& client) {
  // Port 0 is a seed of its own too, so that the two keys are never mixed up.
  return hash64(source_bytes(client), uint64_t{1} + client.port());
}

uint64_t server_name_key(std::string_view name) {
  return hash64(comparable_name(name));
}

}  // namespace lb
