// SPDX-License-Identifier: MIT
// Chunked bodies of any bytes: every split decodes to the same, and encoding it again too.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "l7/chunk_decoder.h"
#include "l7/http1_writer.h"

namespace {

using State = lb::ChunkDecoder::State;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Decoded {
  State state = State::more;
  size_t taken = 0;
  std::string body;
};

Decoded decode(std::string_view bytes, size_t piece) {
  lb::ChunkDecoder decoder;
  Decoded decoded;
  while (decoded.state == State::more && decoded.taken < bytes.size()) {
    std::string part(bytes.substr(decoded.taken, piece));
    auto step = decoder.decode(part.data(), part.size());
    require(step.taken <= part.size() && step.body <= step.taken);
    require(step.state != State::more || step.taken == part.size());
    decoded.body.append(part, 0, step.body);
    decoded.taken += step.taken;
    decoded.state = step.state;
  }
  return decoded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Decoded whole = decode(bytes, std::max<size_t>(size, 1));
  for (size_t piece : {1U, 3U, 64U}) {
    Decoded split = decode(bytes, piece);
    require(split.state == whole.state && split.taken == whole.taken && split.body == whole.body);
  }
  std::string wire;
  if (!whole.body.empty()) {
    lb::write_chunk_start(whole.body.size(), wire);
    wire += whole.body + "\r\n";
  }
  lb::write_last_chunk({}, wire);
  Decoded again = decode(wire, wire.size());
  require(again.state == State::done && again.taken == wire.size() && again.body == whole.body);
  return 0;
}
