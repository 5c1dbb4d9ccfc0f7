// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "l7/http_message.h"

namespace lb {

// HTTP/1.1 messages as bytes. What belongs to the connection is written here and nowhere else.

// `is_last`: the server is told that no other request follows.
void write_request(const RequestHead& head, bool is_last, std::string& out);

enum class Ending : uint8_t {
  keep_alive,       // HTTP/1.1: nothing need be said
  says_keep_alive,  // HTTP/1.0
  close,
};
// A streamed body is chunked unless `chunked` is false: then the connection's end ends it.
void write_response(const ResponseHead& head, Ending ending, bool chunked, std::string& out);

// "1f40\r\n": what stands before a chunk's bytes; behind them stands CRLF.
void write_chunk_start(size_t size, std::string& out);
// The last chunk and the trailers.
void write_last_chunk(const Trailers& trailers, std::string& out);

// The reason of RFC 9110 for a status; "" for an unknown one.
const char* reason_of(int status);

}  // namespace lb
