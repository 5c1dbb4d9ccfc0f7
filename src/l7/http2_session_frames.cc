// SPDX-License-Identifier: MIT
// What comes from the client beside requests: what it says of windows, settings and streams, and
// what it may say.
#include <algorithm>
#include <utility>

#include "l7/exchange.h"
#include "l7/http2_session.h"
#include "l7/http_frontend.h"

namespace lb {

namespace {

// How many streams that we reset are remembered: what was sent before the client learnt of it is
// no mistake.
constexpr size_t kRememberedResets = 256;
// Each is to be acknowledged, and may change every stream's window.
constexpr int64_t kSettingsCost = 20;

Http2Fault protocol_error(const char* why) {
  return {Http2Error::protocol_error, why};
}

Http2Fault flow_control_error(const char* why) {
  return {Http2Error::flow_control_error, why};
}

}  // namespace

Http2Fault Http2Session::spend(int64_t tokens) {
  frames_.earn(sender_.take_earned());
  if (frames_.spend(tokens, now_ms())) return {};
  return {Http2Error::enhance_your_calm, "too many frames to no purpose"};
}

// The client's doing has ended a stream before its response.
Http2Fault Http2Session::waste() {
  if (wasted_.spend(1, now_ms())) return {};
  return {Http2Error::enhance_your_calm, "too many requests that come to nothing"};
}

Http2Fault Http2Session::blame(Http2Stream& stream, Http2Error error) {
  give_up(stream, error, ExchangeEnd::bad_request);
  return waste();
}

// A stream that never was opened.
Http2Fault Http2Session::blame(uint32_t id, Http2Error error) {
  append_rst_stream(sender_.out(), id, error);
  remember_reset(id);
  return waste();
}

// The client has not said anything on it: whatever comes but HEADERS and PRIORITY is a mistake.
bool Http2Session::is_idle(uint32_t id) const {
  return id % 2 == 0 || id > last_id_;
}

void Http2Session::remember_reset(uint32_t id) {
  if (resets_.size() < kRememberedResets) return resets_.push_back(id);
  resets_[next_reset_] = id;
  next_reset_ = (next_reset_ + 1) % kRememberedResets;
}

bool Http2Session::was_reset(uint32_t id) const {
  return std::find(resets_.begin(), resets_.end(), id) != resets_.end();
}

Http2Fault Http2Session::on_priority(uint32_t id, bool on_itself) {
  if (!on_itself) return spend(kFrameCost);
  Http2Stream* stream = find(id);
  if (stream == nullptr) return protocol_error("a stream that depends on itself");
  return blame(*stream, Http2Error::protocol_error);
}

Http2Fault Http2Session::on_reset(uint32_t id, Http2Error) {
  if (is_idle(id)) return protocol_error("RST_STREAM on an idle stream");
  Http2Stream* stream = find(id);
  if (stream == nullptr) return spend(kFrameCost);
  bool is_wasted = !stream->head_sent;
  close_stream(*stream);
  if (stream->exchange) stream->exchange->client_gone();
  return is_wasted ? waste() : spend(kFrameCost);
}

Http2Fault Http2Session::on_setting(Http2Setting setting, uint32_t value) {
  if (Http2Fault fault = spend(kFrameCost)) return fault;
  switch (setting) {
    case Http2Setting::enable_push:
    case Http2Setting::enable_connect_protocol:
    case Http2Setting::no_rfc7540_priorities:
      return value <= 1 ? Http2Fault() : protocol_error("a setting that is neither 0 nor 1");
    case Http2Setting::initial_window_size:
      return set_first_window(value);
    case Http2Setting::max_frame_size:
      if (value < kHttp2MaxFrame || value >= 1 << 24) return protocol_error("a bad frame size");
      return {};
    default:
      return {};
  }
}

Http2Fault Http2Session::set_first_window(uint32_t size) {
  int64_t grown = 0;
  if (!sender_.set_first_window(size, grown)) {
    return flow_control_error("a window that is too large");
  }
  for (auto& stream : streams_) {
    if (!Http2Sender::grow(*stream, grown)) {
      return flow_control_error("a stream's window grows too large");
    }
  }
  return {};
}

Http2Fault Http2Session::on_settings_end() {
  append_settings_ack(sender_.out());
  return spend(kSettingsCost);
}

Http2Fault Http2Session::on_settings_ack() {
  bool was_open = std::exchange(settings_open_, false);
  return was_open ? Http2Fault() : protocol_error("SETTINGS acknowledged that were not sent");
}

Http2Fault Http2Session::on_goaway(uint32_t, Http2Error) {
  client_going_ = true;
  return spend(kFrameCost);
}

Http2Fault Http2Session::on_window_update(uint32_t id, uint32_t increment) {
  if (id == 0) {
    if (increment == 0) return protocol_error("a window that grows by nothing");
    if (!sender_.grow(increment)) return flow_control_error("the window grows too large");
    return spend(kFrameCost);
  }
  if (is_idle(id)) return protocol_error("WINDOW_UPDATE on an idle stream");
  Http2Stream* stream = find(id);
  if (stream == nullptr) return spend(kFrameCost);
  if (increment == 0) return blame(*stream, Http2Error::protocol_error);
  if (!Http2Sender::grow(*stream, increment)) {
    return blame(*stream, Http2Error::flow_control_error);
  }
  return spend(kFrameCost);
}

Http2Fault Http2Session::on_unknown_frame() {
  return spend(kFrameCost);
}

}  // namespace lb
