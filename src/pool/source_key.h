// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

#include "common/address.h"

namespace lb {

// The keys of the hash balancers. The same on every machine and in every version; any thread.

// A source is an IPv4 address or the /64 of an IPv6 address: privacy extensions (RFC 8981) change
// the lower half daily. Every client of a unix socket is the same source.
uint64_t source_ip_key(const Address& client);

// The same with the client's port: each connection a key of its own, which a session of several
// tries keeps.
uint64_t source_ip_port_key(const Address& client);

// The name that a client asks for by TLS (SNI), without case and final dot; not empty.
uint64_t server_name_key(std::string_view name);

}  // namespace lb
