// SPDX-License-Identifier: MIT
// The answer to an http check over any bytes: in any pieces it comes to the same, and to no more
// than its limits.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "health/http_response.h"

namespace {

using Response = lb::HttpResponse;

Response::State read(Response& response, std::string_view bytes, size_t piece) {
  Response::State state = Response::State::more;
  while (!bytes.empty() && state == Response::State::more) {
    state = response.add(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  return state == Response::State::more ? response.end() : state;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Response whole(data[0] % 16 == 0);
  Response pieces(data[0] % 16 == 0);
  auto state = read(whole, bytes, size);
  bool same = read(pieces, bytes, 1 + data[0] % 32) == state;
  if (!same || state == Response::State::more) std::abort();
  if (whole.body().size() > Response::kMaxBody) std::abort();
  if (state != Response::State::done) return 0;
  if (whole.status() < 200 || whole.status() > 599) std::abort();
  if (whole.body() != pieces.body() || whole.load() != pieces.load()) std::abort();
  return 0;
}
