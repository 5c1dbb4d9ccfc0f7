// SPDX-License-Identifier: MIT
#include "health/grpc_health.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "common/log.h"
#include "health/printable.h"

namespace lb {

namespace {

constexpr size_t kFrame = 5;  // compressed or not, and the length
constexpr size_t kMaxHeader = 1'024;

void append_varint(std::string& to, uint64_t value) {
  for (; value >= 0x80; value >>= 7) to.push_back(static_cast<char>(value | 0x80));
  to.push_back(static_cast<char>(value));
}

// HealthCheckRequest {string service = 1}, framed.
std::string framed_request(const std::string& service) {
  std::string message;
  if (!service.empty()) {
    message.push_back(0x0A);
    append_varint(message, service.size());
    message += service;
  }
  std::string framed(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) {
    framed.push_back(static_cast<char>(message.size() >> shift));
  }
  return framed + message;
}

std::optional<uint64_t> take_varint(std::string_view& bytes) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    auto byte = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

// The status of HealthCheckResponse {ServingStatus status = 1}; fields that are not known are
// passed over. Nothing where the message is broken.
std::optional<uint64_t> serving_status(std::string_view message) {
  uint64_t status = 0;
  while (!message.empty()) {
    auto tag = take_varint(message);
    if (!tag) return std::nullopt;
    std::optional<uint64_t> skip;
    if ((*tag & 7) == 0) {
      auto value = take_varint(message);
      if (!value) return std::nullopt;
      if (*tag >> 3 == 1) status = *value;
      skip = 0;
    } else if ((*tag & 7) == 1) {
      skip = 8;
    } else if ((*tag & 7) == 2) {
      skip = take_varint(message);
    } else if ((*tag & 7) == 5) {
      skip = 4;
    }
    if (!skip || *skip > message.size()) return std::nullopt;
    message.remove_prefix(*skip);
  }
  return status;
}

std::string status_name(uint64_t status) {
  constexpr const char* kNames[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
  if (status < std::size(kNames)) return kNames[status];
  return fmt::format("serving status {}", status);
}

nghttp2_nv field(std::string_view name, std::string_view value) {
  auto bytes = [](std::string_view text) {
    return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::string_view view(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

// What nghttp2 calls.
struct GrpcCallbacks {
  static int on_header(nghttp2_session*, const nghttp2_frame*, const uint8_t* name,
                       size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                       void* call) {
    static_cast<GrpcHealthCall*>(call)->add_header(view(name, name_size), view(value, value_size));
    return 0;
  }
  static int on_data(nghttp2_session*, uint8_t, int32_t, const uint8_t* bytes, size_t size,
                     void* call) {
    static_cast<GrpcHealthCall*>(call)->add_body(view(bytes, size));
    return 0;
  }
  static int on_stream_close(nghttp2_session*, int32_t, uint32_t error, void* data) {
    auto* call = static_cast<GrpcHealthCall*>(data);
    if (error == NGHTTP2_NO_ERROR) {
      call->end_of_stream();
    } else {
      call->finish(fmt::format("the stream was reset: {}", nghttp2_http2_strerror(error)));
    }
    return 0;
  }
  static ssize_t read_body(nghttp2_session*, int32_t, uint8_t* to, size_t most, uint32_t* flags,
                           nghttp2_data_source*, void* data) {
    auto* call = static_cast<GrpcHealthCall*>(data);
    size_t size = std::min(most, call->request_.size() - call->sent_);
    std::copy_n(call->request_.data() + call->sent_, size, to);
    call->sent_ += size;
    if (call->sent_ == call->request_.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }
};

GrpcHealthCall::GrpcHealthCall(const std::string& authority, const std::string& service)
    : request_(framed_request(service)) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &GrpcCallbacks::on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &GrpcCallbacks::on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks,
                                                         &GrpcCallbacks::on_stream_close);
  nghttp2_session_client_new(&session_, callbacks, this);
  nghttp2_session_callbacks_del(callbacks);

  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                             {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 16'384}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  const nghttp2_nv head[] = {field(":method", "POST"),
                             field(":scheme", "http"),
                             field(":authority", authority),
                             field(":path", "/grpc.health.v1.Health/Check"),
                             field("content-type", "application/grpc"),
                             field("te", "trailers"),
                             field("user-agent", "lb")};
  nghttp2_data_provider body{};
  body.read_callback = &GrpcCallbacks::read_body;
  nghttp2_submit_request(session_, nullptr, head, std::size(head), &body, nullptr);
}

GrpcHealthCall::~GrpcHealthCall() {
  nghttp2_session_del(session_);
}

std::string GrpcHealthCall::to_send() {
  std::string bytes;
  const uint8_t* piece = nullptr;
  for (ssize_t size; (size = nghttp2_session_mem_send(session_, &piece)) > 0;) {
    bytes.append(view(piece, static_cast<size_t>(size)));
  }
  // After a protocol error there is a GOAWAY to send, and nothing more to hear.
  if (nghttp2_session_want_read(session_) == 0) finish("no HTTP/2 answer");
  return bytes;
}

void GrpcHealthCall::take(std::string_view bytes) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  if (nghttp2_session_mem_recv(session_, data, bytes.size()) < 0) finish("no HTTP/2 answer");
}

void GrpcHealthCall::add_header(std::string_view name, std::string_view value) {
  value = value.substr(0, kMaxHeader);
  if (name == ":status") status_ = value;
  if (name == "grpc-status") grpc_status_ = value;
  if (name == "grpc-message") grpc_message_ = value;
}

void GrpcHealthCall::add_body(std::string_view bytes) {
  message_.append(bytes.substr(0, kFrame + kMaxMessage + 1 - message_.size()));
}

void GrpcHealthCall::end_of_stream() {
  if (status_ != "200") return finish(fmt::format("HTTP status {}", printable(status_)));
  if (grpc_status_ != "0") {
    std::string message = grpc_message_.empty() ? "" : ": " + printable(grpc_message_);
    std::string status = grpc_status_.empty() ? "missing" : printable(grpc_status_);
    return finish(fmt::format("grpc-status {}{}", status, message));
  }
  bool is_framed = message_.size() >= kFrame && message_[0] == 0;
  size_t length = 0;
  for (size_t i = 1; is_framed && i < kFrame; ++i) {
    length = length << 8 | static_cast<uint8_t>(message_[i]);
  }
  if (!is_framed || length != message_.size() - kFrame || length > kMaxMessage) {
    return finish("a broken message");
  }
  auto status = serving_status(std::string_view(message_).substr(kFrame));
  if (!status) return finish("a broken message");
  serving_ = *status == 1;
  finish(status_name(*status));
}

void GrpcHealthCall::finish(std::string detail) {
  if (std::exchange(done_, true)) return;
  detail_ = std::move(detail);
}

}  // namespace lb
