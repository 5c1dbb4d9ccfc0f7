// SPDX-License-Identifier: MIT
#include "l4/flow_key.h"

#include <cstring>

#include "common/hash.h"

namespace lb {

FlowKey FlowKey::of(const Arrival& arrival, uint16_t socket) {
  FlowKey key{.socket = socket};
  unsigned char bytes[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const Endpoint4or6& peer = arrival.peer;
  uint32_t zone = 0;
  if (peer.base.sa_family == AF_INET) {
    std::memcpy(bytes + 12, &peer.v4.sin_addr, 4);
    key.port = peer.v4.sin_port;
  } else {
    std::memcpy(bytes, &peer.v6.sin6_addr, 16);
    key.port = peer.v6.sin6_port;
    zone = peer.v6.sin6_scope_id;
  }
  std::memcpy(&key.high, bytes, 8);
  std::memcpy(&key.low, bytes + 8, 8);
  if (arrival.local.family != 0 || zone != 0) {
    uint64_t to = 0;
    uint64_t to_high = 0;
    std::memcpy(&to_high, &arrival.local.address, 8);
    std::memcpy(&to, arrival.local.address.s6_addr + 8, 8);
    key.local = static_cast<uint32_t>(mix64(to ^ mix64(to_high ^ zone)));
  }
  return key;
}

uint64_t FlowKey::source_of(const Address& client) {
  Arrival arrival;
  std::memcpy(&arrival.peer.base, client.data(), client.length());
  return of(arrival, 0).source();
}

}  // namespace lb
