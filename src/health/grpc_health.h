// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct nghttp2_session;

namespace lb {

// One call of grpc.health.v1.Health/Check over HTTP/2, without the connection: says what to send,
// takes what came. Reads at most kMaxMessage bytes of the answer. Control thread.
class GrpcHealthCall {
 public:
  static constexpr size_t kMaxMessage = 4'096;

  // `service` as in HealthCheckRequest; "" asks for the server as a whole.
  GrpcHealthCall(const std::string& authority, const std::string& service);
  ~GrpcHealthCall();
  GrpcHealthCall(const GrpcHealthCall&) = delete;
  GrpcHealthCall& operator=(const GrpcHealthCall&) = delete;

  // What is to be sent now; to be asked after the constructor and after each take().
  std::string to_send();
  void take(std::string_view bytes);

  // To be asked after to_send().
  bool done() const { return done_; }
  bool serving() const { return serving_; }
  // Once done: "SERVING", "NOT_SERVING", "grpc-status 12: unknown service" ...
  const std::string& detail() const { return detail_; }

 private:
  friend struct GrpcCallbacks;

  void add_header(std::string_view name, std::string_view value);
  void add_body(std::string_view bytes);
  void finish(std::string detail);
  void end_of_stream();

  nghttp2_session* session_ = nullptr;
  std::string request_;  // the framed message
  size_t sent_ = 0;      // of it
  std::string message_;  // of the answer, with its frame
  std::string status_;
  std::string grpc_status_;
  std::string grpc_message_;
  bool done_ = false;
  bool serving_ = false;
  std::string detail_;
};

}  // namespace lb
