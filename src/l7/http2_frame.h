// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lb {

// What HTTP/2 looks like on the wire (RFC 9113, 4 to 7), for both of its ends. Pure functions; any
// thread.

inline constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr size_t kHttp2FrameHeader = 9;
// The largest frame that everybody takes; neither end asks for more.
inline constexpr size_t kHttp2MaxFrame = 16'384;
inline constexpr uint32_t kHttp2MaxStream = 0x7fff'ffff;
inline constexpr int64_t kHttp2MaxWindow = 0x7fff'ffff;
// What either side may send before anything else was agreed on.
inline constexpr int64_t kHttp2FirstWindow = 65'535;

enum class Http2Type : uint8_t {
  data,
  headers,
  priority,
  rst_stream,
  settings,
  push_promise,
  ping,
  goaway,
  window_update,
  continuation,
};

struct Http2Flag {
  static constexpr uint8_t kEndStream = 0x01;
  static constexpr uint8_t kAck = 0x01;
  static constexpr uint8_t kEndHeaders = 0x04;
  static constexpr uint8_t kPadded = 0x08;
  static constexpr uint8_t kPriority = 0x20;
};

enum class Http2Setting : uint16_t {
  enable_push = 2,
  max_concurrent_streams = 3,
  initial_window_size = 4,
  max_frame_size = 5,
  max_header_list_size = 6,
  enable_connect_protocol = 8,
  no_rfc7540_priorities = 9,
};

enum class Http2Error : uint32_t {
  no_error,
  protocol_error,
  internal_error,
  flow_control_error,
  settings_timeout,
  stream_closed,
  frame_size_error,
  refused_stream,
  cancel,
  compression_error,
  connect_error,
  enhance_your_calm,
  inadequate_security,
  http_1_1_required,
};

// Why a connection must end; nothing where it goes on.
struct Http2Fault {
  Http2Error error = Http2Error::no_error;
  const char* why = nullptr;

  explicit operator bool() const { return why != nullptr; }
};

struct Http2FrameHeader {
  uint32_t length = 0;  // of what follows
  Http2Type type = Http2Type::data;
  uint8_t flags = 0;
  uint32_t stream = 0;

  bool has(uint8_t flag) const { return (flags & flag) != 0; }
};

uint32_t read_uint32(const char* bytes);
// Of at least kHttp2FrameHeader bytes.
Http2FrameHeader read_frame_header(const char* bytes);

void append_frame_header(std::string& out, const Http2FrameHeader& header);
void append_setting(std::string& out, Http2Setting setting, uint32_t value);
void append_settings_ack(std::string& out);
void append_ping(std::string& out, std::string_view opaque, bool is_ack);
void append_rst_stream(std::string& out, uint32_t stream, Http2Error error);
void append_window_update(std::string& out, uint32_t stream, uint32_t increment);
void append_goaway(std::string& out, uint32_t last_stream, Http2Error error, std::string_view why);
// A whole header block, in as many frames as it needs. `at` is where it stands at the end of `out`,
// behind kHttp2FrameHeader bytes of room for the first one.
void frame_header_block(std::string& out, size_t at, uint32_t stream, bool end_stream);

}  // namespace lb
