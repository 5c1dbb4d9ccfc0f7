// SPDX-License-Identifier: MIT
// RFC 9113, 3.4, 4, 5.4 and 6: frames by themselves.
#include "http2_rules.h"
#include "http2_wire.h"

namespace lb {

namespace {

constexpr auto kData = Http2Type::data;
constexpr auto kHeaders = Http2Type::headers;
constexpr auto kPriorityFrame = Http2Type::priority;
constexpr auto kContinuation = Http2Type::continuation;

const char* const kProtocol = "GOAWAY PROTOCOL_ERROR";
const char* const kSize = "GOAWAY FRAME_SIZE_ERROR";
const char* const kFlow = "GOAWAY FLOW_CONTROL_ERROR";
const char* const kCompression = "GOAWAY COMPRESSION_ERROR";

std::string priority(uint32_t depends_on) {
  return uint32_bytes(depends_on) + '\x0f';
}

std::string padded(std::string_view bytes, size_t padding) {
  return std::string(1, static_cast<char>(padding)).append(bytes).append(padding, '\0');
}

std::string in_two(uint32_t second_stream = 1) {
  std::string all = block(request_fields());
  return frame(kHeaders, Http2Flag::kEndStream, 1, all.substr(0, 10)) +
         frame(kContinuation, Http2Flag::kEndHeaders, second_stream, all.substr(10));
}

}  // namespace

std::vector<Http2Rule> http2_rules_of_frames() {
  const std::string magic(kHttp2Preface);
  const std::string all = block(request_fields());
  const std::string begun = frame(kHeaders, Http2Flag::kEndStream, 1, all);  // no END_HEADERS
  constexpr int kPaddedEnds = kEnds | Http2Flag::kPadded;
  constexpr int kPriorityEnds = kEnds | Http2Flag::kPriority;
  std::string name_only = "\x10";
  return {
      // 3.4: the preface
      {"a preface and nothing wrong", magic + settings() + get(), "1:200", true},
      {"a preface that ends wrongly", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + settings(), kProtocol,
       true},
      {"a preface without an empty line", "PRI * HTTP/2.0\r\nSM\r\n\r\n\r\n" + settings(),
       kProtocol, true},
      {"a request before SETTINGS", magic + get(), kProtocol, true},
      {"a PING before SETTINGS", magic + ping(), kProtocol, true},
      {"an acknowledgement as the first SETTINGS",
       magic + frame(Http2Type::settings, Http2Flag::kAck, 0, ""), kProtocol, true},
      {"an unknown frame before SETTINGS", magic + frame(Http2Type{0x20}, 0, 0, "x"), kProtocol,
       true},
      // 4.1 and 4.2
      {"an unknown frame is passed over", frame(Http2Type{0x20}, 0xff, 3, "whatever") + get(),
       "1:200"},
      {"an unknown frame without bytes", frame(Http2Type{0xfe}, 0, 0, "") + get(), "1:200"},
      {"an unknown frame that is too large", frame(Http2Type{0x20}, 0, 0, std::string(16'385, 'x')),
       kSize},
      {"unknown flags mean nothing", frame(kHeaders, kEnds | 0xc2, 1, all), "1:200"},
      {"a reserved bit means nothing", frame(kHeaders, kEnds, 1 | 0x8000'0000, all), "1:200"},
      {"the largest DATA", post() + lb::data(std::string(16'384, 'x')), "1:200"},
      {"DATA that is too large", post() + lb::data(std::string(16'385, 'x')), kSize},
      {"HEADERS that are too large", headers(request_fields({{"x", std::string(16'400, 'x')}})),
       kSize},
      // 4.3: header blocks
      {"a block in two frames", in_two(), "1:200"},
      {"a block that goes on elsewhere", in_two(3), kProtocol},
      {"a block that a PING interrupts", begun + ping(), kProtocol},
      {"a block that DATA interrupts", begun + data("x"), kProtocol},
      {"a block that other HEADERS interrupt", begun + get(3), kProtocol},
      {"a block that an unknown frame interrupts", begun + frame(Http2Type{0x20}, 0, 1, "x"),
       kProtocol},
      {"a block that WINDOW_UPDATE interrupts", begun + window_update(0, 1), kProtocol},
      {"a block that RST_STREAM of it interrupts", begun + reset(1), kProtocol},
      {"a block with an empty end", begun + frame(kContinuation, kGoesOn, 1, ""), "1:200"},
      {"a block that begins empty",
       frame(kHeaders, Http2Flag::kEndStream, 1, "") + frame(kContinuation, kGoesOn, 1, all),
       "1:200"},
      {"a table entry that is not there", frame(kHeaders, kEnds, 1, "\xbe"), kCompression},
      {"an entry of index 0", frame(kHeaders, kEnds, 1, "\x80"), kCompression},
      {"a block that ends within a name", frame(kHeaders, kEnds, 1, name_only), kCompression},
      {"a length that runs over",
       frame(kHeaders, kEnds, 1, std::string("\x00\x7f\xff\xff\xff\xff\xff\x0f", 8)), kCompression},
      {"bad Huffman code",
       frame(kHeaders, kEnds, 1, std::string("\x00\x84\xff\xff\xff\xff\x01x", 8)), kCompression},
      {"a table that grows beyond ours", frame(kHeaders, kEnds, 1, "\x3f\xe2\x1f" + all),
       kCompression},
      {"a table of the size that we have", frame(kHeaders, kEnds, 1, "\x3f\xe1\x1f" + all),
       "1:200"},
      {"a table size behind a field", frame(kHeaders, kEnds, 1, all + "\x20"), kCompression},
      // 6.1: DATA
      {"DATA on stream 0", frame(kData, 0, 0, "x"), kProtocol},
      {"DATA with padding", post() + frame(kData, Http2Flag::kPadded | 1, 1, padded("abc", 9)),
       "1:200"},
      {"DATA of padding alone", post() + frame(kData, Http2Flag::kPadded | 1, 1, padded("", 255)),
       "1:200"},
      {"padding as long as the frame",
       post() + frame(kData, Http2Flag::kPadded | 1, 1,
                      std::string("\x04"
                                  "abc",
                                  4)),
       kProtocol},
      {"padding longer than the frame",
       post() + frame(kData, Http2Flag::kPadded | 1, 1, std::string("\xff", 1)), kProtocol},
      {"padded DATA without a length of it", post() + frame(kData, Http2Flag::kPadded, 1, ""),
       kSize},
      // 6.2: HEADERS
      {"HEADERS on stream 0", frame(kHeaders, kEnds, 0, all), kProtocol},
      {"HEADERS with padding", frame(kHeaders, kPaddedEnds, 1, padded(all, 200)), "1:200"},
      {"HEADERS with more padding than there is",
       frame(kHeaders, kPaddedEnds, 1, "\x7f" + all.substr(0, 20)), kProtocol},
      {"padded HEADERS without a length of it", frame(kHeaders, kPaddedEnds, 1, ""), kSize},
      {"HEADERS with a priority", frame(kHeaders, kPriorityEnds, 1, priority(0) + all), "1:200"},
      {"HEADERS with half a priority", frame(kHeaders, kPriorityEnds, 1, "abcd"), kSize},
      {"HEADERS with padding over the priority",
       frame(kHeaders, kPaddedEnds | Http2Flag::kPriority, 1, "\x04" + priority(0)), kProtocol},
      {"HEADERS with padding and a priority",
       frame(kHeaders, kPaddedEnds | Http2Flag::kPriority, 1, padded(priority(3) + all, 2)),
       "1:200"},
      {"HEADERS that depend on themselves", frame(kHeaders, kPriorityEnds, 1, priority(1) + all),
       "RST 1 PROTOCOL_ERROR"},
      // 6.3: PRIORITY
      {"PRIORITY on stream 0", frame(kPriorityFrame, 0, 0, priority(1)), kProtocol},
      {"PRIORITY on a stream that is idle", frame(kPriorityFrame, 0, 9, priority(7)) + get(),
       "1:200"},
      {"PRIORITY on a stream that is closed", get() + frame(kPriorityFrame, 0, 1, priority(7)),
       "1:200"},
      {"PRIORITY that is too short", frame(kPriorityFrame, 0, 1, "abcd"), kSize},
      {"PRIORITY that is too long", frame(kPriorityFrame, 0, 1, "abcdef"), kSize},
      {"PRIORITY on itself", frame(kPriorityFrame, 0, 5, priority(5)), kProtocol},
      {"PRIORITY on itself while open", post() + frame(kPriorityFrame, 0, 1, priority(1)),
       "RST 1 PROTOCOL_ERROR"},
      // 6.4: RST_STREAM
      {"RST_STREAM on stream 0", reset(0), kProtocol},
      {"RST_STREAM on an idle stream", reset(1), kProtocol},
      {"RST_STREAM that is too short",
       post() + frame(Http2Type::rst_stream, 0, 1, std::string(3, '\0')), kSize},
      {"RST_STREAM that is too long",
       post() + frame(Http2Type::rst_stream, 0, 1, std::string(5, '\0')), kSize},
      {"RST_STREAM of what was answered", get() + reset(1), "1:200"},
      {"RST_STREAM with an unknown error", post() + reset(1, 0xffff) + get(3), "3:200"},
      // 6.5: SETTINGS
      {"SETTINGS on a stream", frame(Http2Type::settings, 0, 1, ""), kProtocol},
      {"SETTINGS of a length that they cannot have", frame(Http2Type::settings, 0, 0, "12345"),
       kSize},
      {"an acknowledgement that says something",
       frame(Http2Type::settings, Http2Flag::kAck, 0, "123456"), kSize},
      {"an acknowledgement", frame(Http2Type::settings, Http2Flag::kAck, 0, "") + get(), "1:200"},
      {"an acknowledgement of nothing",
       frame(Http2Type::settings, Http2Flag::kAck, 0, "") +
           frame(Http2Type::settings, Http2Flag::kAck, 0, ""),
       kProtocol},
      {"SETTINGS that nobody knows", settings({{0x1234, 5}, {0xf0f0, 0xffff'ffff}}) + get(),
       "1:200"},
      {"ENABLE_PUSH of 2", settings({{2, 2}}), kProtocol},
      {"ENABLE_PUSH of 1", settings({{2, 1}}) + get(), "1:200"},
      {"a first window that is too large", settings({{4, 0x8000'0000}}), kFlow},
      {"the largest first window", settings({{4, 0x7fff'ffff}}) + get(), "1:200"},
      {"a frame size below the least", settings({{5, 16'383}}), kProtocol},
      {"a frame size above the most", settings({{5, 16'777'216}}), kProtocol},
      {"the largest frame size", settings({{5, 16'777'215}}) + get(), "1:200"},
      {"ENABLE_CONNECT_PROTOCOL of 2", settings({{8, 2}}), kProtocol},
      {"NO_RFC7540_PRIORITIES of 2", settings({{9, 2}}), kProtocol},
      {"no table at all", settings({{1, 0}}) + get() + get(3), "1:200, 3:200"},
      {"a huge table", settings({{1, 0xffff'ffff}}) + get() + get(3), "1:200, 3:200"},
      {"settings that change to and fro",
       settings({{1, 0}, {1, 4096}}) + get() + settings({{1, 100}}) + get(3), "1:200, 3:200"},
      // 6.6: PUSH_PROMISE
      {"a client that pushes", frame(Http2Type::push_promise, kGoesOn, 1, uint32_bytes(2) + all),
       kProtocol},
      // 6.7: PING
      {"PING on a stream", frame(Http2Type::ping, 0, 1, "01234567"), kProtocol},
      {"PING that is too short", frame(Http2Type::ping, 0, 0, "0123456"), kSize},
      {"PING that is too long", frame(Http2Type::ping, 0, 0, "012345678"), kSize},
      {"an answer to no PING", frame(Http2Type::ping, Http2Flag::kAck, 0, "01234567") + get(),
       "1:200"},
      // 6.8: GOAWAY
      {"GOAWAY on a stream", frame(Http2Type::goaway, 0, 1, std::string(8, '\0')), kProtocol},
      {"GOAWAY that is too short", frame(Http2Type::goaway, 0, 0, std::string(7, '\0')), kSize},
      // 6.9: WINDOW_UPDATE
      {"WINDOW_UPDATE that is too short", frame(Http2Type::window_update, 0, 0, "abc"), kSize},
      {"WINDOW_UPDATE that is too long", frame(Http2Type::window_update, 0, 0, "abcde"), kSize},
      {"WINDOW_UPDATE by nothing", window_update(0, 0), kProtocol},
      {"WINDOW_UPDATE by nothing with the reserved bit", window_update(0, 0x8000'0000), kProtocol},
      {"a window that grows beyond all", window_update(0, 0x7fff'ffff), kFlow},
      {"the largest window", window_update(0, 0x7fff'ffff - 65'535) + get(), "1:200"},
      // 6.10: CONTINUATION
      {"CONTINUATION of nothing", frame(kContinuation, kGoesOn, 1, all), kProtocol},
      {"CONTINUATION behind the end", get() + frame(kContinuation, kGoesOn, 1, "x"),
       "1:200, GOAWAY PROTOCOL_ERROR"},
      {"CONTINUATION on stream 0", begun + frame(kContinuation, kGoesOn, 0, "x"), kProtocol},
  };
}

}  // namespace lb
