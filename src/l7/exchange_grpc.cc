// SPDX-License-Identifier: MIT
// Exchange: calls of gRPC.
#include "l7/grpc.h"

#include <string_view>

#include "l7/exchange.h"
#include "l7/http_frontend.h"

namespace lb {

namespace {

constexpr std::string_view kUnavailable = "14";

std::string_view value_of(const std::vector<Field>& fields, std::string_view name) {
  for (const Field& field : fields) {
    if (equal_nocase(field.name, name)) return field.value;
  }
  return {};
}

}  // namespace

bool is_grpc(const RequestHead& head) {
  return head.method == Method::post &&
         value_of(head.fields, "content-type").starts_with("application/grpc");
}

bool says_unavailable(const ResponseHead& head, const BodyPart& part) {
  return part.is_last && part.bytes.empty() && value_of(head.fields, "grpc-status") == kUnavailable;
}

// What is kept of the body after a server has seen it.
bool Exchange::is_held_on() const {
  return is_grpc_ || is_idempotent(request_.head.method);
}

// Another server may take the call. False: there is no other try, so this answer stands.
bool Exchange::repeat_call() {
  if (!connector_.may_go_elsewhere(pool(), frontend_.worker())) return false;
  close_server();
  follow(connector_.elsewhere(std::move(lease_), pool(), frontend_.worker(), key(pool())));
  return true;
}

}  // namespace lb
