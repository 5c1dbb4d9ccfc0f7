// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "common/address.h"
#include "common/cidr.h"
#include "config/config.h"
#include "config/scalar.h"

namespace lb::config {

// A server's address: numeric, or a host name to resolve and a port.
struct ServerAddress {
  std::string host;  // empty when address is complete
  Address address;   // for a host name 0.0.0.0:port
};

Scalar<ListenAddress> listen_address();  // 0.0.0.0:80 [::]:80 :80 unix:/path
Scalar<ServerAddress> server_address();  // 10.0.0.1:80 [::1]:80 host:80 unix:/path
Scalar<Address> source_address();        // an IP address without port
Scalar<Cidr> network();                  // 10.0.0.0/8 2001:db8::/32 192.0.2.1

// The names of listeners and pools (letters, digits, _ - .), and of servers (: [ ] too, so that an
// address can be a name).
bool is_name(std::string_view text);
Scalar<std::string> server_name();
inline constexpr size_t kMaxName = 128;

}  // namespace lb::config
