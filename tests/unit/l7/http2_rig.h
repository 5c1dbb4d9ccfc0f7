// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../loopback.h"
#include "exchange_rig.h"
#include "http2_wire.h"
#include "l7/http2_hpack.h"
#include "l7/http2_reader.h"

namespace lb {

// A client's end of an HTTP/2 connection: says what the test wants, in bytes, and notes what it
// hears.
class Http2Peer final : private Http2Frames {
 public:
  struct Stream {
    int status = 0;
    std::string fields;
    std::string body;
    std::string trailers;
    bool ended = false;
    std::string reset;  // the error's name
  };

  Http2Peer(EventLoop& loop, Fd fd) : loop_(loop), fd_(std::move(fd)) {}

  void say(std::string_view bytes) {
    unsaid_.append(bytes);
    push();
  }
  // Takes what there is; false when nothing more will come.
  bool listen() {
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
    return !closed;
  }
  template <typename Done>
  bool until(Done done) {
    return run_until(loop_, [&] {
      listen();
      return done();
    });
  }
  // Until all that was said before has been heard of, or the connection is over.
  bool settle() {
    size_t before = pongs;
    say(ping("settling"));
    return until([&] { return pongs > before || closed; });
  }
  void hang_up() { fd_.reset(); }
  Fd& fd() { return fd_; }

  std::map<uint32_t, Stream> streams;
  std::string seen;    // what happened to streams and to the connection, in order
  std::string goaway;  // the last one's error
  uint32_t last_stream = 0;
  std::map<Http2Setting, uint32_t> their_settings;
  std::map<uint32_t, int64_t> windows;  // what was added, by stream
  std::vector<int> interims;
  std::vector<std::string> pings;
  size_t pongs = 0;
  size_t data_frames = 0;
  size_t acks = 0;
  bool closed = false;

 private:
  void push() {
    while (!unsaid_.empty() && fd_) {
      ssize_t sent = send(fd_.get(), unsaid_.data(), unsaid_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent <= 0) return;
      unsaid_.erase(0, static_cast<size_t>(sent));
    }
  }
  void note(const std::string& what) { seen += (seen.empty() ? "" : ", ") + what; }

  Http2Fault on_data_frame(uint32_t, uint32_t) override {
    ++data_frames;
    return {};
  }
  Http2Fault on_data(uint32_t id, std::string_view bytes, size_t, bool ends) override {
    streams[id].body.append(bytes);
    if (ends) end(id);
    return {};
  }
  Http2Fault on_headers(const Http2Block& block) override {
    std::string_view bytes = block.bytes;
    std::string_view name;
    std::string_view value;
    Stream& stream = streams[block.stream];
    std::string& to = stream.status >= 200 ? stream.trailers : stream.fields;
    if (stream.status > 0 && stream.status < 200) stream.fields.clear();
    HpackDecoder::Step step;
    while ((step = decoder_.next(bytes, name, value)) == HpackDecoder::Step::field) {
      if (name == ":status") {
        stream.status = std::stoi(std::string(value));
        if (stream.status < 200) interims.push_back(stream.status);
      } else {
        to.append(name).append(": ").append(value).append("\n");
      }
    }
    EXPECT_EQ(step, HpackDecoder::Step::end);
    if (block.end_stream) end(block.stream);
    return {};
  }
  void end(uint32_t id) {
    streams[id].ended = true;
    note(std::to_string(id) + ":" + std::to_string(streams[id].status));
  }
  Http2Fault on_priority(uint32_t, bool) override { return {}; }
  Http2Fault on_reset(uint32_t id, Http2Error error) override {
    streams[id].reset = name_of(error);
    note("RST " + std::to_string(id) + " " + name_of(error));
    return {};
  }
  Http2Fault on_setting(Http2Setting setting, uint32_t value) override {
    their_settings[setting] = value;
    return {};
  }
  Http2Fault on_settings_end() override { return {}; }
  Http2Fault on_settings_ack() override {
    ++acks;
    return {};
  }
  Http2Fault on_ping(std::string_view opaque, bool is_ack) override {
    if (is_ack) {
      ++pongs;
    } else {
      pings.emplace_back(opaque);
    }
    return {};
  }
  Http2Fault on_goaway(uint32_t last, Http2Error error) override {
    last_stream = last;
    goaway = name_of(error);
    note("GOAWAY " + goaway);
    return {};
  }
  Http2Fault on_window_update(uint32_t stream, uint32_t increment) override {
    windows[stream] += increment;
    return {};
  }
  Http2Fault on_unknown_frame() override { return {}; }

  EventLoop& loop_;
  Fd fd_;
  std::string unsaid_;
  HpackDecoder decoder_;
  Http2Reader reader_{*this, {}, 1 << 20};
};

// HTTP/2 connections to a frontend whose servers the test plays itself (exchange_rig.h).
class Http2Test : public ExchangeTest {
 protected:
  // Every request is answered by the route itself.
  void respond_always() {
    route().pools.clear();
    route().respond = HttpRespond{200, "ok", {}};
  }
  // With the preface and SETTINGS said, unless `first` is something else. `room`: how many bytes
  // its socket takes from lb; 0 = as the kernel likes.
  std::unique_ptr<Http2Peer> connect(const std::string& first = opening(), int room = 0) {
    if (!frontend_) open();
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    Fd ours(ends[0]);
    if (room > 0) setsockopt(ours.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    auto peer = std::make_unique<Http2Peer>(rig_.loop, Fd(ends[1]));
    peer->say(first);
    rig_.connections.take();
    limit_->take();
    EXPECT_TRUE(frontend_->serve(ours, *Address::parse("192.0.2.9:4000")));
    return peer;
  }
};

}  // namespace lb
