// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "l7/http2_frame.h"

namespace lb {

// HTTP/2 as a client writes it, right or wrong.

using WireFields = std::vector<std::pair<std::string, std::string>>;

inline std::string frame(Http2Type type, int flags, uint32_t stream, std::string_view payload) {
  std::string bytes;
  append_frame_header(
      bytes, {static_cast<uint32_t>(payload.size()), type, static_cast<uint8_t>(flags), stream});
  return bytes.append(payload);
}

inline std::string uint32_bytes(uint32_t value) {
  std::string bytes;
  for (int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<char>(value >> shift));
  return bytes;
}

// A length as HPACK writes it, without Huffman's code.
inline std::string hpack_text(std::string_view text) {
  std::string bytes;
  size_t size = text.size();
  if (size < 127) {
    bytes.push_back(static_cast<char>(size));
  } else {
    bytes.push_back(127);
    for (size -= 127; size >= 128; size /= 128)
      bytes.push_back(static_cast<char>(size % 128 + 128));
    bytes.push_back(static_cast<char>(size));
  }
  return bytes.append(text);
}

// Literals that no table remembers.
inline std::string block(const WireFields& fields) {
  std::string bytes;
  for (const auto& [name, value] : fields) {
    bytes.push_back('\0');
    bytes += hpack_text(name) + hpack_text(value);
  }
  return bytes;
}

inline constexpr int kEnds = Http2Flag::kEndStream | Http2Flag::kEndHeaders;
inline constexpr int kGoesOn = Http2Flag::kEndHeaders;

inline std::string headers(const WireFields& fields, uint32_t stream = 1, int flags = kEnds) {
  return frame(Http2Type::headers, flags, stream, block(fields));
}

inline WireFields request_fields(const WireFields& more = {}, const char* method = "GET") {
  WireFields fields = {
      {":method", method}, {":scheme", "http"}, {":path", "/"}, {":authority", "a.example"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

// A whole request without a body.
inline std::string get(uint32_t stream = 1, const WireFields& more = {}) {
  return headers(request_fields(more), stream);
}

// The head of a request with a body.
inline std::string post(uint32_t stream = 1, const WireFields& more = {}) {
  return headers(request_fields(more, "POST"), stream, kGoesOn);
}

// To be called by its full name for a std::string: std::data() would be a better match.
inline std::string data(std::string_view bytes, uint32_t stream = 1, bool ends = true) {
  return frame(Http2Type::data, ends ? Http2Flag::kEndStream : 0, stream, bytes);
}

inline std::string settings(const std::vector<std::pair<int, uint32_t>>& entries = {}) {
  std::string payload;
  for (auto [id, value] : entries) append_setting(payload, static_cast<Http2Setting>(id), value);
  return frame(Http2Type::settings, 0, 0, payload);
}

inline std::string ping(std::string_view opaque = "01234567") {
  return frame(Http2Type::ping, 0, 0, opaque);
}

inline std::string window_update(uint32_t stream, uint32_t by) {
  return frame(Http2Type::window_update, 0, stream, uint32_bytes(by));
}

inline std::string reset(uint32_t stream, uint32_t error = 8) {
  return frame(Http2Type::rst_stream, 0, stream, uint32_bytes(error));
}

inline std::string opening() {
  return std::string(kHttp2Preface) + settings();
}

inline const char* name_of(Http2Error error) {
  constexpr const char* kNames[] = {"NO_ERROR",
                                    "PROTOCOL_ERROR",
                                    "INTERNAL_ERROR",
                                    "FLOW_CONTROL_ERROR",
                                    "SETTINGS_TIMEOUT",
                                    "STREAM_CLOSED",
                                    "FRAME_SIZE_ERROR",
                                    "REFUSED_STREAM",
                                    "CANCEL",
                                    "COMPRESSION_ERROR",
                                    "CONNECT_ERROR",
                                    "ENHANCE_YOUR_CALM",
                                    "INADEQUATE_SECURITY",
                                    "HTTP_1_1_REQUIRED"};
  auto index = static_cast<uint32_t>(error);
  return index < std::size(kNames) ? kNames[index] : "?";
}

}  // namespace lb
