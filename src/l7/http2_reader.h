// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "l7/http2_frame.h"

namespace lb {

// A header block, put together of its frames.
struct Http2Block {
  uint32_t stream = 0;
  std::string_view bytes;
  bool end_stream = false;
  bool on_itself = false;  // it says that its stream depends on itself
};

// What a Http2Reader finds, in order. A fault ends the connection.
class Http2Frames {
 public:
  // A DATA frame begins. `length` is what flow control counts.
  virtual Http2Fault on_data_frame(uint32_t stream, uint32_t length) = 0;
  // A piece of it, with padding that belongs to nobody. At least one for each frame.
  virtual Http2Fault on_data(uint32_t stream, std::string_view bytes, size_t padding,
                             bool end_stream) = 0;
  virtual Http2Fault on_headers(const Http2Block& block) = 0;
  virtual Http2Fault on_priority(uint32_t stream, bool on_itself) = 0;
  virtual Http2Fault on_reset(uint32_t stream, Http2Error error) = 0;
  virtual Http2Fault on_setting(Http2Setting setting, uint32_t value) = 0;
  virtual Http2Fault on_settings_end() = 0;
  virtual Http2Fault on_settings_ack() = 0;
  virtual Http2Fault on_ping(std::string_view opaque, bool is_ack) = 0;
  virtual Http2Fault on_goaway(uint32_t last_stream, Http2Error error) = 0;
  virtual Http2Fault on_window_update(uint32_t stream, uint32_t increment) = 0;
  virtual Http2Fault on_unknown_frame() = 0;

 protected:
  ~Http2Frames() = default;
};

// Cuts what comes on a connection into frames and refuses what no state of a stream could excuse
// (RFC 9113, 4 to 6). Bodies pass by as they come; other frames are kept until they are whole,
// header blocks until their last CONTINUATION: never more than `most_block` and one frame. One
// thread.
class Http2Reader {
 public:
  // `preface`: what must come before the first frame, which must be SETTINGS.
  Http2Reader(Http2Frames& frames, std::string_view preface, size_t most_block)
      : frames_(frames), preface_(preface), most_block_(most_block) {}

  // Returns how many of the bytes were taken: all, unless stop() was called meanwhile.
  size_t read(std::string_view bytes, Http2Fault& fault);
  // From within a call: read() returns behind the present frame.
  void stop() { stopped_ = true; }
  // Something has begun that is not complete: the preface, or a header block.
  bool is_within_head() const { return !seen_settings_ || block_header_.stream != 0 || is_head_; }

 private:
  size_t take_preface(std::string_view bytes, Http2Fault& fault);
  size_t take_some(std::string_view bytes, Http2Fault& fault);
  size_t gather(std::string_view bytes, Http2Fault& fault);
  size_t take_body(std::string_view bytes, Http2Fault& fault);
  void begin_body(Http2Fault& fault);
  Http2Fault check_header() const;
  Http2Fault check_length() const;
  Http2Fault take_frame(std::string_view payload);
  Http2Fault take_headers(std::string_view payload);
  Http2Fault take_fragment(std::string_view fragment);
  Http2Fault take_settings(std::string_view payload);

  Http2Frames& frames_;
  std::string_view preface_;  // what has not come of it
  const size_t most_block_;
  std::string partial_;  // a frame that is not complete
  std::string block_;    // of a header block: the frames before the last
  Http2FrameHeader header_;
  Http2FrameHeader block_header_;  // of the block that is under way; stream 0 = none
  uint32_t left_ = 0;              // of a frame that passes by
  uint32_t padding_ = 0;           // the last bytes of it
  uint32_t continuations_ = 0;
  bool passes_ = false;     // a frame that is not kept is under way
  bool wants_pad_ = false;  // the length of its padding comes next
  bool on_itself_ = false;  // of the block
  bool is_head_ = false;    // partial_ is of HEADERS
  bool seen_settings_ = false;
  bool stopped_ = false;
};

}  // namespace lb
