// SPDX-License-Identifier: MIT
#pragma once

#include "l7/exchange_ends.h"
#include "l7/http_message.h"

namespace lb {

// What gRPC makes of HTTP/2: a call's outcome stands behind its messages, in grpc-status. Pure
// functions; any thread.

bool is_grpc(const RequestHead& head);

// The server has not taken the call: UNAVAILABLE, without a message before it.
bool says_unavailable(const ResponseHead& head, const BodyPart& part);

}  // namespace lb
