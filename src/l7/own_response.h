// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "l7/exchange_ends.h"
#include "l7/http_message.h"

namespace lb {

// An answer of the balancer itself: a short JSON body that names what went wrong.
void make_own_response(int status, ResponseHead& head, BodyPart& part);
// To a request in clear where TLS is spoken: 400.
void make_plain_http_response(ResponseHead& head, BodyPart& part);

}  // namespace lb
