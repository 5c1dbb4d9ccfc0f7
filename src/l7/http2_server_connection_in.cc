// SPDX-License-Identifier: MIT
// What comes from the server.
#include <algorithm>
#include <utility>

#include "common/log.h"
#include "l7/http2_response.h"
#include "l7/http2_server_connection.h"
#include "l7/http_tools.h"

namespace lb {

namespace {

constexpr int kReadsPerTurn = 4;
// A piece of what was held of a response's body.
constexpr size_t kPiece = 16 * 1024;
constexpr size_t kMostBlock = 4 * kMaxResponseHead;
constexpr int64_t kFrameCost = 1;

using At = Http2ServerStream::At;

Http2Fault protocol_error(const char* why) {
  return {Http2Error::protocol_error, why};
}

Http2Fault flow_control_error(const char* why) {
  return {Http2Error::flow_control_error, why};
}

}  // namespace

void Http2ServerConnection::on_readable() {
  if (is_closed_) return;
  if (handshaking_ && !shake_hands()) return;
  for (int i = 0; i < kReadsPerTurn; ++i) {
    if (!read_once()) return;
  }
  readable_.set_again(stream_.has_pending());
}

// One read. False when there is no use in another one now.
bool Http2ServerConnection::read_once() {
  Transfer got = stream_.read({tools_.server_scratch(), HttpTools::kScratchSize});
  switch (got.outcome) {
    case Transfer::Outcome::done: {
      note_through();
      bool is_short =
          stream_.is_tls() ? stream_.tls()->drained() : got.bytes < HttpTools::kScratchSize;
      Http2Fault fault;
      reader_.read({tools_.server_scratch(), got.bytes}, fault);
      if (fault) {
        broken(fault);
        return false;
      }
      silent_since_ms_ = streams_.empty() ? 0 : tools_.worker.loop.now_ms();
      want_end_of_turn();
      return !is_closed_ && !is_short;
    }
    case Transfer::Outcome::wants_read:
      readable_.set_again(false);
      return false;
    case Transfer::Outcome::wants_write:
      readable_.disarm();
      read_wants_write_ = true;
      writable_.arm();
      return false;
    case Transfer::Outcome::end:
    case Transfer::Outcome::cut:
      fail_all(ServerFailure::silent, 0);
      return false;
    default:
      if (is_through_) {
        fail_all(ServerFailure::silent, stream_.error());
      } else {
        end_of_connect(stream_.error());
      }
      return false;
  }
}

// What it says is no HTTP/2.
void Http2ServerConnection::broken(const Http2Fault& fault) {
  log::debug("server {}/{}: HTTP/2: {}", server_.pool(), server_.name(), fault.why);
  append_goaway(sender_.out(), 0, fault.error, fault.why);
  sender_.flush();
  fail_all(ServerFailure::nonsense, 0);
}

Http2Fault Http2ServerConnection::spend(int64_t tokens) {
  frames_.earn(sender_.take_earned());
  if (frames_.spend(tokens, tools_.worker.loop.now_ms())) return {};
  return {Http2Error::enhance_your_calm, "too many frames to no purpose"};
}

// What one stream says is no HTTP.
void Http2ServerConnection::blame(Http2ServerStream& stream, Http2Error error) {
  append_rst_stream(sender_.out(), stream.id, error);
  bool has_head = stream.at != At::head;
  fail(stream, has_head ? ServerFailure::broken : ServerFailure::nonsense, 0);
}

Http2Fault Http2ServerConnection::on_headers(const Http2Block& block) {
  if (is_unused(block.stream)) return protocol_error("HEADERS on an idle stream");
  Http2ServerStream* stream = find(block.stream);
  if (stream == nullptr) {  // we have given it up, which the server may not have heard of
    return decoder_.read(block.bytes, kMostBlock, [](std::string_view, std::string_view) {});
  }
  stream->received += block.bytes.size() + kHttp2FrameHeader;
  return stream->at == At::head ? on_response(*stream, block) : on_trailers(*stream, block);
}

Http2Fault Http2ServerConnection::on_response(Http2ServerStream& stream, const Http2Block& block) {
  auto kept = tools_.take_request();
  ResponseHead& head = tools_.response;
  Http2ResponseReader reader(*kept, head);
  Http2Fault fault = decoder_.read(
      block.bytes, kMostBlock,
      [&](std::string_view name, std::string_view value) { reader.add(name, value); });
  if (fault) return fault;
  if (const char* why = reader.finish(stream.method, block.end_stream)) {
    log::debug("server {}/{}: HTTP/2: {}", server_.pool(), server_.name(), why);
    blame(stream, Http2Error::protocol_error);
  } else if (head.status < 200) {
    stream.sink->on_interim(head);
  } else {
    stream.has_length = head.body != BodyKind::streamed;
    stream.length_left = head.body == BodyKind::length ? head.length.value_or(0) : 0;
    stream.remote_closed = block.end_stream;
    // Without a body it is complete, whether or not an empty frame is to come.
    bool is_last = block.end_stream || head.body == BodyKind::none;
    stream.at = is_last ? At::done : At::body;
    stream.sink->on_response(head, {{}, is_last, nullptr});
  }
  tools_.give_back(std::move(kept));
  return {};
}

Http2Fault Http2ServerConnection::on_trailers(Http2ServerStream& stream, const Http2Block& block) {
  auto trailers = std::make_unique<Http2TrailerReader>();
  Http2Fault fault = decoder_.read(
      block.bytes, kMostBlock,
      [&](std::string_view name, std::string_view value) { trailers->add(name, value); });
  if (fault) return fault;
  bool is_short = stream.has_length && stream.length_left > 0;
  bool is_wrong = stream.remote_closed || !block.end_stream || trailers->why() != nullptr;
  if (is_wrong || is_short) {
    blame(stream, Http2Error::protocol_error);
    return {};
  }
  stream.remote_closed = true;
  if (stream.at != At::body) return {};
  if (stream.paused || !stream.held.empty()) {
    stream.held_trailers = std::move(trailers);
  } else {
    pass_on(stream, {}, &trailers->trailers());
  }
  return {};
}

// The connection's window is given back at once: who is slow holds up nobody else.
Http2Fault Http2ServerConnection::on_data_frame(uint32_t id, uint32_t length) {
  if (length > receive_window_) return flow_control_error("more than the connection's window");
  receive_window_ -= length;
  unacknowledged_ += length;
  if (unacknowledged_ >= kConnectionWindow / 2) {
    append_window_update(sender_.out(), 0, static_cast<uint32_t>(unacknowledged_));
    receive_window_ += std::exchange(unacknowledged_, 0);
  }
  if (is_unused(id)) return protocol_error("DATA on an idle stream");
  Http2ServerStream* stream = find(id);
  if (stream == nullptr) return {};
  stream->received += length;
  if (stream->at == At::head || stream->remote_closed) {
    blame(*stream, Http2Error::protocol_error);
  } else if (length > stream->receive_window) {
    blame(*stream, Http2Error::flow_control_error);
  } else {
    stream->receive_window -= length;
  }
  return {};
}

Http2Fault Http2ServerConnection::on_data(uint32_t id, std::string_view bytes, size_t padding,
                                          bool end_stream) {
  if (bytes.empty() && !end_stream) {
    if (Http2Fault fault = spend(kFrameCost)) return fault;
  }
  Http2ServerStream* stream = find(id);
  if (stream == nullptr) return {};
  give_back(*stream, padding);
  if (stream->has_length) {
    bool is_wrong =
        bytes.size() > stream->length_left || (end_stream && bytes.size() < stream->length_left);
    if (is_wrong) {
      blame(*stream, Http2Error::protocol_error);
      return {};
    }
    stream->length_left -= bytes.size();
  }
  stream->remote_closed |= end_stream;
  if (stream->at != At::body) return {};
  if (stream->paused || !stream->held.empty()) {
    stream->held.append(bytes);
  } else {
    pass_on(*stream, bytes, nullptr);
  }
  return {};
}

void Http2ServerConnection::pass_on(Http2ServerStream& stream, std::string_view bytes,
                                    const Trailers* trailers) {
  bool is_last = stream.remote_closed;
  if (bytes.empty() && !is_last) return;
  if (is_last) stream.at = At::done;
  give_back(stream, bytes.size());
  stream.sink->on_response_body({bytes, is_last, trailers});
}

void Http2ServerConnection::deliver_held() {
  std::vector<Http2ServerStream*> all = streams_;
  for (Http2ServerStream* stream : all) {
    if (is_attached(stream) && std::exchange(stream->resumed, false)) deliver_held(*stream);
  }
}

// Piece by piece, until it is too much again.
void Http2ServerConnection::deliver_held(Http2ServerStream& stream) {
  std::string held;
  held.swap(stream.held);
  size_t at = 0;
  while (is_attached(&stream) && stream.at == At::body && !stream.paused) {
    std::string_view piece = std::string_view(held).substr(at, kPiece);
    bool is_last = at + piece.size() == held.size() && stream.remote_closed;
    if (piece.empty() && !is_last) break;
    at += piece.size();
    const Trailers* trailers =
        is_last && stream.held_trailers ? &stream.held_trailers->trailers() : nullptr;
    if (is_last) stream.at = At::done;
    give_back(stream, piece.size());
    stream.sink->on_response_body({piece, is_last, trailers});
  }
  if (is_attached(&stream) && at < held.size()) stream.held = held.substr(at);
}

// The server may send as many again.
void Http2ServerConnection::give_back(Http2ServerStream& stream, size_t bytes) {
  stream.unacknowledged += static_cast<int64_t>(bytes);
  if (stream.remote_closed || stream.unacknowledged < kStreamWindow / 2) return;
  append_window_update(sender_.out(), stream.id, static_cast<uint32_t>(stream.unacknowledged));
  stream.receive_window += std::exchange(stream.unacknowledged, 0);
  want_end_of_turn();
}

// Refused, it was not served (RFC 9113, 8.7): as if it had never been sent.
Http2Fault Http2ServerConnection::on_reset(uint32_t id, Http2Error error) {
  if (is_unused(id)) return protocol_error("RST_STREAM on an idle stream");
  Http2ServerStream* stream = find(id);
  if (stream == nullptr) return spend(kFrameCost);
  if (stream->is_whole()) {
    let_go(*stream);
    return spend(kFrameCost);
  }
  bool is_begun = stream->received > 0;
  bool is_refused = error == Http2Error::refused_stream && !is_begun;
  stream->remote_closed = stream->end_sent = true;  // nothing more is said about it
  Http2ServerStream& over = *stream;
  ResponseSink* sink = std::exchange(over.sink, nullptr);
  bool is_done = over.at == At::done;
  detach(over);
  over.at = At::closed;
  if (is_refused) over.was_written = false;
  over.was_reused = false;  // the server has spoken, so the connection was no dead one
  if (sink == nullptr || is_done) return spend(kFrameCost);
  ServerFailure how = is_refused ? ServerFailure::refused
                      : is_begun ? ServerFailure::broken
                                 : ServerFailure::silent;
  sink->on_server_failed(how, 0);
  return spend(kFrameCost);
}

Http2Fault Http2ServerConnection::on_goaway(uint32_t last, Http2Error error) {
  is_going_ = true;
  if (error != Http2Error::no_error) {
    log::debug("server {}/{}: HTTP/2: it goes away, error {}", server_.pool(), server_.name(),
               static_cast<uint32_t>(error));
  }
  std::vector<Http2ServerStream*> all = streams_;
  for (Http2ServerStream* stream : all) {
    if (!is_attached(stream) || stream->id <= last || stream->is_whole()) continue;
    ResponseSink* sink = std::exchange(stream->sink, nullptr);
    detach(*stream);
    stream->at = At::closed;
    stream->was_written = false;
    if (sink != nullptr) sink->on_server_failed(ServerFailure::refused, 0);
  }
  want_end_of_turn();
  return spend(kFrameCost);
}

Http2Fault Http2ServerConnection::on_setting(Http2Setting setting, uint32_t value) {
  if (Http2Fault fault = spend(kFrameCost)) return fault;
  switch (setting) {
    case Http2Setting::max_concurrent_streams:
      most_streams_ = value;
      return {};
    case Http2Setting::enable_push:
      return value == 0 ? Http2Fault() : protocol_error("a server that lets us push");
    case Http2Setting::initial_window_size: {
      int64_t grown = 0;
      if (!sender_.set_first_window(value, grown)) return flow_control_error("a window too large");
      for (Http2ServerStream* stream : streams_) {
        if (!Http2Sender::grow(*stream, grown)) return flow_control_error("a window too large");
      }
      return {};
    }
    case Http2Setting::max_frame_size:
      if (value < kHttp2MaxFrame || value >= 1 << 24) return protocol_error("a bad frame size");
      return {};
    default:
      return {};
  }
}

Http2Fault Http2ServerConnection::on_settings_end() {
  append_settings_ack(sender_.out());
  want_end_of_turn();
  return spend(kFrameCost);
}

Http2Fault Http2ServerConnection::on_settings_ack() {
  return spend(kFrameCost);
}

Http2Fault Http2ServerConnection::on_ping(std::string_view opaque, bool is_ack) {
  if (!is_ack) append_ping(sender_.out(), opaque, true);
  want_end_of_turn();
  return spend(kFrameCost);
}

Http2Fault Http2ServerConnection::on_priority(uint32_t, bool) {
  return spend(kFrameCost);
}

Http2Fault Http2ServerConnection::on_window_update(uint32_t id, uint32_t increment) {
  want_end_of_turn();
  if (id == 0) {
    if (increment == 0) return protocol_error("a window that grows by nothing");
    if (!sender_.grow(increment)) return flow_control_error("the window grows too large");
    return spend(kFrameCost);
  }
  if (is_unused(id)) return protocol_error("WINDOW_UPDATE on an idle stream");
  Http2ServerStream* stream = find(id);
  if (stream == nullptr) return spend(kFrameCost);
  if (increment == 0) {
    blame(*stream, Http2Error::protocol_error);
  } else if (!Http2Sender::grow(*stream, increment)) {
    blame(*stream, Http2Error::flow_control_error);
  }
  return spend(kFrameCost);
}

Http2Fault Http2ServerConnection::on_unknown_frame() {
  return spend(kFrameCost);
}

}  // namespace lb
