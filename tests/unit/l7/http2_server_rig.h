// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>

#include "http2_rig.h"

namespace lb {

// A server's end of an HTTP/2 connection: notes the requests that it hears, and says what the test
// wants, in bytes.
class Http2ServerEnd final : private Http2Frames {
 public:
  struct Request {
    std::string head;  // "name: value\n", in order
    std::string body;
    std::string trailers;
    bool ended = false;
    std::string reset;
  };

  Http2ServerEnd(EventLoop& loop, Fd fd) : loop_(loop), fd_(std::move(fd)) { say(settings()); }

  void say(std::string_view bytes) {
    unsaid_.append(bytes);
    push();
  }
  void listen() {
    push();
    std::string heard;
    while (!closed) {
      int got = receive(fd_.get(), heard);
      if (got == -EAGAIN) break;
      if (got <= 0) closed = true;
    }
    Http2Fault fault;
    reader_.read(heard, fault);
    EXPECT_FALSE(fault) << fault.why;
  }
  template <typename Done>
  bool until(Done done) {
    return run_until(loop_, [&] {
      listen();
      return done();
    });
  }
  // Until a whole request has come.
  bool hears(uint32_t id) {
    return until([&] { return requests[id].ended; });
  }
  void hang_up() { fd_.reset(); }

  std::map<uint32_t, Request> requests;
  std::map<uint32_t, int64_t> windows;
  std::string goaway;
  size_t pongs = 0;
  bool closed = false;

 private:
  void push() {
    while (!unsaid_.empty() && fd_) {
      ssize_t sent = send(fd_.get(), unsaid_.data(), unsaid_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent <= 0) return;
      unsaid_.erase(0, static_cast<size_t>(sent));
    }
  }

  Http2Fault on_data_frame(uint32_t, uint32_t) override { return {}; }
  Http2Fault on_data(uint32_t id, std::string_view bytes, size_t, bool ends) override {
    requests[id].body.append(bytes);
    requests[id].ended |= ends;
    return {};
  }
  Http2Fault on_headers(const Http2Block& block) override {
    Request& request = requests[block.stream];
    std::string& to = request.head.empty() ? request.head : request.trailers;
    std::string_view bytes = block.bytes;
    std::string_view name;
    std::string_view value;
    while (decoder_.next(bytes, name, value) == HpackDecoder::Step::field) {
      to.append(name).append(": ").append(value).append("\n");
    }
    request.ended |= block.end_stream;
    return {};
  }
  Http2Fault on_priority(uint32_t, bool) override { return {}; }
  Http2Fault on_reset(uint32_t id, Http2Error error) override {
    requests[id].reset = name_of(error);
    return {};
  }
  Http2Fault on_setting(Http2Setting, uint32_t) override { return {}; }
  Http2Fault on_settings_end() override { return {}; }
  Http2Fault on_settings_ack() override { return {}; }
  Http2Fault on_ping(std::string_view, bool is_ack) override {
    if (is_ack) ++pongs;
    return {};
  }
  Http2Fault on_goaway(uint32_t, Http2Error error) override {
    goaway = name_of(error);
    return {};
  }
  Http2Fault on_window_update(uint32_t id, uint32_t increment) override {
    windows[id] += increment;
    return {};
  }
  Http2Fault on_unknown_frame() override { return {}; }

  EventLoop& loop_;
  Fd fd_;
  std::string unsaid_;
  HpackDecoder decoder_;
  Http2Reader reader_{*this, kHttp2Preface, 1 << 20};
};

// The head of a response, and one that is whole.
inline std::string response_head(uint32_t id, const WireFields& more = {}, int flags = kGoesOn,
                                 const char* status = "200") {
  WireFields fields = {{":status", status}};
  fields.insert(fields.end(), more.begin(), more.end());
  return headers(fields, id, flags);
}

inline std::string answer(uint32_t id, std::string_view body) {
  return response_head(id) + data(body, id);
}

}  // namespace lb
