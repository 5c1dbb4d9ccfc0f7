// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "l7/exchange_ends.h"
#include "l7/http_message.h"

namespace lb {

// The time as HTTP's Date has it (RFC 9110, 5.6.7). One thread.
class DateText {
 public:
  // Valid until the next call.
  std::string_view now();

 private:
  int64_t second_ = -1;
  std::string text_;
};

// An answer of the balancer itself: a short JSON body that names what went wrong.
void make_own_response(int status, ResponseHead& head, BodyPart& part);
// To a request in clear where TLS is spoken: 400.
void make_plain_http_response(ResponseHead& head, BodyPart& part);

}  // namespace lb
