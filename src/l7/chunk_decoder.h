// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "l7/http_message.h"

namespace lb {

// The chunked transfer coding (RFC 9112, 7.1), strictly: hexadecimal sizes without sign or space,
// CRLF only, extensions (which are dropped) of at most 1,024 bytes a chunk, trailers of at most 8
// KiB. Keeps nothing but the trailers. One body.
class ChunkDecoder {
 public:
  static constexpr size_t kMaxExtension = 1024;
  static constexpr size_t kMaxTrailers = 8 * 1024;

  enum class State : uint8_t { more, done, refused };
  struct Step {
    State state;
    size_t taken;  // bytes consumed; all of them unless done
    size_t body;   // bytes of the body, which now stand together at the start
  };

  // Decodes in place: body bytes of several chunks are moved together.
  Step decode(char* bytes, size_t size);

  // Why the body was refused.
  const char* why() const { return why_; }
  // Once done; valid as long as this is.
  const Trailers& trailers() const { return trailers_; }

 private:
  enum class At : uint8_t { size, extension, size_end, data, data_cr, data_lf, trailers };

  bool take_size(char c);
  bool take_extension(char c);
  State take_trailer(char c);
  bool refuse(const char* why) {
    why_ = why;
    return false;
  }

  uint64_t left_ = 0;  // of the chunk
  At at_ = At::size;
  uint8_t digits_ = 0;
  uint16_t extension_ = 0;
  uint8_t line_ = 0;  // of a trailer line: bytes seen, as far as they matter
  const char* why_ = "";
  std::string trailer_text_;
  Trailers trailers_;
};

}  // namespace lb
