// SPDX-License-Identifier: MIT
#include "l7/http2_frame.h"

#include <algorithm>

namespace lb {

namespace {

void append_uint32(std::string& out, uint32_t value) {
  for (int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(value >> shift));
}

void write_header(char* at, const Http2FrameHeader& header) {
  for (int shift : {16, 8, 0}) *at++ = static_cast<char>(header.length >> shift);
  *at++ = static_cast<char>(header.type);
  *at++ = static_cast<char>(header.flags);
  for (int shift : {24, 16, 8, 0}) *at++ = static_cast<char>(header.stream >> shift);
}

uint32_t byte(char c) {
  return static_cast<uint8_t>(c);
}

}  // namespace

uint32_t read_uint32(const char* bytes) {
  return byte(bytes[0]) << 24 | byte(bytes[1]) << 16 | byte(bytes[2]) << 8 | byte(bytes[3]);
}

Http2FrameHeader read_frame_header(const char* bytes) {
  Http2FrameHeader header;
  header.length = byte(bytes[0]) << 16 | byte(bytes[1]) << 8 | byte(bytes[2]);
  header.type = static_cast<Http2Type>(bytes[3]);
  header.flags = static_cast<uint8_t>(bytes[4]);
  header.stream = read_uint32(bytes + 5) & kHttp2MaxStream;
  return header;
}

void append_frame_header(std::string& out, const Http2FrameHeader& header) {
  char bytes[kHttp2FrameHeader];
  write_header(bytes, header);
  out.append(bytes, sizeof(bytes));
}

void append_setting(std::string& out, Http2Setting setting, uint32_t value) {
  out.push_back(static_cast<char>(static_cast<uint16_t>(setting) >> 8));
  out.push_back(static_cast<char>(setting));
  append_uint32(out, value);
}

void append_settings_ack(std::string& out) {
  append_frame_header(out, {0, Http2Type::settings, Http2Flag::kAck, 0});
}

void append_ping(std::string& out, std::string_view opaque, bool is_ack) {
  uint8_t flags = is_ack ? Http2Flag::kAck : uint8_t{0};
  append_frame_header(out, {static_cast<uint32_t>(opaque.size()), Http2Type::ping, flags, 0});
  out.append(opaque);
}

void append_rst_stream(std::string& out, uint32_t stream, Http2Error error) {
  append_frame_header(out, {4, Http2Type::rst_stream, 0, stream});
  append_uint32(out, static_cast<uint32_t>(error));
}

void append_window_update(std::string& out, uint32_t stream, uint32_t increment) {
  append_frame_header(out, {4, Http2Type::window_update, 0, stream});
  append_uint32(out, increment);
}

void append_goaway(std::string& out, uint32_t last_stream, Http2Error error, std::string_view why) {
  append_frame_header(out, {static_cast<uint32_t>(8 + why.size()), Http2Type::goaway, 0, 0});
  append_uint32(out, last_stream);
  append_uint32(out, static_cast<uint32_t>(error));
  out.append(why);
}

void frame_header_block(std::string& out, size_t at, uint32_t stream, bool end_stream) {
  uint8_t flags = end_stream ? Http2Flag::kEndStream : uint8_t{0};
  size_t left = out.size() - at - kHttp2FrameHeader;
  Http2Type type = Http2Type::headers;
  while (true) {
    size_t size = std::min(left, kHttp2MaxFrame);
    left -= size;
    if (left == 0) flags |= Http2Flag::kEndHeaders;
    write_header(out.data() + at, {static_cast<uint32_t>(size), type, flags, stream});
    if (left == 0) return;
    at += kHttp2FrameHeader + size;
    out.insert(at, kHttp2FrameHeader, '\0');
    type = Http2Type::continuation;
    flags = 0;
  }
}

}  // namespace lb
