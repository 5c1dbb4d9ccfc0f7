// SPDX-License-Identifier: MIT
// RFC 9113, 5 and 6.9: the states of streams, and flow control.
#include "http2_rules.h"
#include "http2_wire.h"

namespace lb {

namespace {

const char* const kProtocol = "GOAWAY PROTOCOL_ERROR";
const char* const kFlow = "GOAWAY FLOW_CONTROL_ERROR";
const char* const kAnsweredAndClosed = "1:200, GOAWAY STREAM_CLOSED";

std::string trailers(const WireFields& fields, uint32_t stream = 1, int flags = kEnds) {
  return headers(fields, stream, flags);
}

}  // namespace

std::vector<Http2Rule> http2_rules_of_streams() {
  return {
      // 5.1: states
      {"a request with a body", post() + data("abc"), "1:200"},
      {"a body in pieces", post() + data("a", 1, false) + data("b", 1, false) + data(""), "1:200"},
      {"trailers behind a body", post() + data("a", 1, false) + trailers({{"x-sum", "1"}}),
       "1:200"},
      {"trailers without a body", post() + trailers({{"x-sum", "1"}}), "1:200"},
      {"trailers that do not end the stream",
       post() + data("a", 1, false) + trailers({{"x", "1"}}, 1, kGoesOn), "RST 1 PROTOCOL_ERROR"},
      {"trailers with a pseudo-header", post() + data("a", 1, false) + trailers({{":path", "/"}}),
       "RST 1 PROTOCOL_ERROR"},
      {"trailers with a field of the connection",
       post() + data("a", 1, false) + trailers({{"connection", "x"}}), "RST 1 PROTOCOL_ERROR"},
      {"trailers with capital letters", post() + data("a", 1, false) + trailers({{"X-Sum", "1"}}),
       "RST 1 PROTOCOL_ERROR"},
      {"trailers that depend on their stream",
       post() + frame(Http2Type::headers, kEnds | Http2Flag::kPriority, 1,
                      uint32_bytes(1) + '\0' + block({{"x", "1"}})),
       "RST 1 PROTOCOL_ERROR"},
      {"DATA on an idle stream", data("x"), kProtocol},
      {"DATA on an idle stream of ours", data("x", 2), kProtocol},
      {"WINDOW_UPDATE on an idle stream", window_update(1, 1), kProtocol},
      {"WINDOW_UPDATE on an idle stream of ours", window_update(2, 1), kProtocol},
      {"DATA behind an answer", get() + data("x"), kAnsweredAndClosed},
      {"HEADERS behind an answer", get() + get(), kAnsweredAndClosed},
      {"trailers behind an answer", get() + trailers({{"x", "1"}}), kAnsweredAndClosed},
      {"WINDOW_UPDATE behind an answer", get() + window_update(1, 1) + get(3), "1:200, 3:200"},
      {"DATA on a stream that the client reset", post() + reset(1) + data("x"),
       "GOAWAY STREAM_CLOSED"},
      {"HEADERS on a stream that the client reset", post() + reset(1) + get(),
       "GOAWAY STREAM_CLOSED"},
      {"RST_STREAM twice", post() + reset(1) + reset(1) + get(3), "3:200"},
      {"what follows a stream that we reset",
       post(1, {{"Bad", "1"}}) + data("x", 1, false) + trailers({{"x", "1"}}) + get(3),
       "RST 1 PROTOCOL_ERROR, 3:200"},
      {"tables are kept alike on streams that we reset",
       post(1, {{"Bad", "1"}}) +
           frame(Http2Type::headers, kEnds, 1,
                 "\x40\x01"
                 "a\x01"
                 "b") +
           frame(Http2Type::headers, kEnds, 3, block(request_fields()) + "\xbe"),
       "RST 1 PROTOCOL_ERROR, 3:200"},
      // 5.1.1: numbers
      {"a stream of an even number", get(2), kProtocol},
      {"numbers may be left out", get(7) + get(101), "7:200, 101:200"},
      {"a number that was passed over", get(7) + get(5), "7:200, GOAWAY STREAM_CLOSED"},
      {"DATA on a number that was passed over", get(7) + data("x", 5),
       "7:200, GOAWAY STREAM_CLOSED"},
      {"the last number of all", get(0x7fff'ffff), "2147483647:200"},
      // 6.9: flow control
      {"WINDOW_UPDATE of a stream by nothing", post() + window_update(1, 0),
       "RST 1 PROTOCOL_ERROR"},
      {"a stream's window that grows beyond all", post() + window_update(1, 0x7fff'ffff),
       "RST 1 FLOW_CONTROL_ERROR"},
      {"a stream's window that SETTINGS make too large",
       post() + window_update(1, 0x7fff'0000) + settings({{4, 0x7fff'ffff}}), kFlow},
      // 8.1: messages
      {"a length that is kept", post(1, {{"content-length", "3"}}) + data("abc"), "1:200"},
      {"a body without the promised end", post(1, {{"content-length", "3"}}) + data("ab"),
       "RST 1 PROTOCOL_ERROR"},
      {"a body longer than its length", post(1, {{"content-length", "3"}}) + data("abcd"),
       "RST 1 PROTOCOL_ERROR"},
      {"a body longer than its length, in pieces",
       post(1, {{"content-length", "3"}}) + data("abc", 1, false) + data("d", 1, false),
       "RST 1 PROTOCOL_ERROR"},
      {"a length and no body", get(1, {{"content-length", "3"}}), "RST 1 PROTOCOL_ERROR"},
      {"a length and nothing but trailers",
       post(1, {{"content-length", "3"}}) + trailers({{"x", "1"}}), "RST 1 PROTOCOL_ERROR"},
      {"a length of 0 and no body", get(1, {{"content-length", "0"}}), "1:200"},
      {"a length of 0 and an empty body", post(1, {{"content-length", "0"}}) + data(""), "1:200"},
      {"a length of 0 and a body", post(1, {{"content-length", "0"}}) + data("x"),
       "RST 1 PROTOCOL_ERROR"},
      {"padding is no part of a length",
       post(1, {{"content-length", "1"}}) +
           frame(Http2Type::data, Http2Flag::kPadded | 1, 1, std::string("\x02x\0\0", 4)),
       "1:200"},
  };
}

}  // namespace lb
