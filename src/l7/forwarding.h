// SPDX-License-Identifier: MIT
#pragma once

#include "common/address.h"
#include "common/cidr.h"
#include "l7/http_message.h"

namespace lb {

// Who a request came from, as its connection tells.
struct RequestOrigin {
  Address peer;   // or the PROXY header's source
  Address local;  // where it came in; set where the request names no host
  bool is_tls = false;
  bool is_trusted = false;  // a proxy whose forwarding fields are kept and extended
};

// The client for limits, hashes, logs and routes: the peer, or behind trusted proxies the rightmost
// address of X-Forwarded-For that is not one of them.
Address client_address(const RequestHead& head, const RequestOrigin& origin,
                       const CidrSet& trusted);

// Drops what a client outside the trusted proxies says of itself in forwarding fields, and from
// everybody those that only some servers take for such ("X_Forwarded_For"): nobody extends them.
void drop_forged_fields(RequestHead& head, const RequestOrigin& origin);

// Sets Via, X-Forwarded-For, -Proto and -Host, Forwarded and X-Request-Id beside what is there.
// `random` is 128 fresh bits for an id.
void set_forwarding_fields(KeptRequest& request, const RequestOrigin& origin,
                           const uint64_t (&random)[2]);

}  // namespace lb
