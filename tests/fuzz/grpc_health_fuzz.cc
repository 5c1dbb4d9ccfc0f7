// SPDX-License-Identifier: MIT
// The answer to a grpc check over any bytes: it passes only where it is over.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "health/grpc_health.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 65'536) return 0;
  lb::GrpcHealthCall call("app.example:80", "shop.Cart");
  call.to_send();
  for (size_t at = 0, piece = size / 3 + 1; at < size && !call.done(); at += piece) {
    call.take(std::string_view(reinterpret_cast<const char*>(data), size).substr(at, piece));
    call.to_send();
  }
  if (call.serving() && (!call.done() || call.detail() != "SERVING")) std::abort();
  for (char c : call.detail()) {
    if (c < 0x20 || c > 0x7E) std::abort();
  }
  return 0;
}
