// SPDX-License-Identifier: MIT
// What comes from the client: requests and their bodies.
#include <algorithm>
#include <utility>

#include "common/base64url.h"
#include "common/log.h"
#include "l7/exchange.h"
#include "l7/http2_session.h"
#include "l7/http_frontend.h"
#include "l7/own_response.h"
#include "net/socket.h"

namespace lb {

namespace {

constexpr int kReadsPerTurn = 4;
// Requests that are begun in one turn, before others have theirs.
constexpr uint32_t kStreamsPerTurn = 64;
// What is said of a head that is too large is not kept; so much more of it, and nobody listens.
constexpr size_t kMostOversize = 4;
// A piece of what was held of a request's body.
constexpr size_t kPiece = 16 * 1024;
// What requests earn (see Http2Budget).
constexpr int64_t kRequestEarns = 8;
constexpr int64_t kRefusedCost = 2;

Http2Fault protocol_error(const char* why) {
  return {Http2Error::protocol_error, why};
}

}  // namespace

void Http2Session::on_readable() {
  if (at_ == At::ended) return;
  if (at_ == At::flushing || at_ == At::lingering) return read_to_nowhere();
  if (!yields_) return read();
  yields_ = false;
  std::string more;
  more.swap(in_);
  take(more);
  watch();
}

// Whoever takes nothing of what is said gets nothing more read.
bool Http2Session::wants_bytes() const {
  return (at_ == At::open || at_ == At::going) && !yields_ && sender_.backlog() < kMostBacklog;
}

void Http2Session::read() {
  char* scratch = frontend_.tools().client_scratch.get();
  for (int i = 0; i < kReadsPerTurn && wants_bytes(); ++i) {
    Transfer got = stream_.read({scratch, HttpTools::kScratchSize});
    if (got.outcome != Transfer::Outcome::done) return read_ended(got);
    take({scratch, got.bytes});
    bool is_short =
        stream_.is_tls() ? stream_.tls()->drained() : got.bytes < HttpTools::kScratchSize;
    if (is_short) break;
  }
  watch();
}

void Http2Session::read_ended(const Transfer& got) {
  switch (got.outcome) {
    case Transfer::Outcome::wants_read:
      return watch();
    case Transfer::Outcome::wants_write:
      readable_.disarm();
      read_wants_write_ = true;
      return writable_.arm();
    case Transfer::Outcome::end:
      return end(open_ == 0 ? CloseReason::finished : CloseReason::client_reset);
    default:
      gone_ = true;
      return end(CloseReason::client_reset);
  }
}

// Waits for what comes next. Whoever writes may have disarmed what a read waits for.
void Http2Session::watch() {
  if (at_ == At::ended) return;
  if (read_wants_write_) return writable_.arm();
  bool reads = at_ == At::flushing || at_ == At::lingering || wants_bytes();
  if (!reads && !yields_) return readable_.disarm();
  readable_.arm();
  readable_.set_again(yields_ || stream_.has_pending());
}

void Http2Session::take(std::string_view bytes) {
  begun_ = 0;
  head_done_ = false;
  Http2Fault fault;
  size_t used = reader_.read(bytes, fault);
  if (fault) {
    fail(fault);
  } else if (used < bytes.size()) {
    in_.assign(bytes.substr(used));
    yields_ = true;
  }
  bool was_in_head = std::exchange(in_head_, reader_.is_within_head());
  if (in_head_ && (!was_in_head || head_done_)) {
    head_since_ms_ = now_ms();
    look_within(frontend_.config().timeouts.request_header);
  }
  want_end_of_turn();
}

Http2Stream* Http2Session::find(uint32_t id) const {
  auto found =
      std::lower_bound(streams_.begin(), streams_.end(), id,
                       [](const auto& stream, uint32_t wanted) { return stream->id < wanted; });
  bool is_it = found != streams_.end() && (*found)->id == id && !(*found)->closed;
  return is_it ? found->get() : nullptr;
}

size_t Http2Session::most_of_a_block() const {
  return kMostOversize * frontend_.config().http.limits.max_header_size;
}

// For the tables alone, which both sides must keep alike.
Http2Fault Http2Session::skip(const Http2Block& block) {
  return decoder_.read(block.bytes, most_of_a_block(), [](std::string_view, std::string_view) {});
}

Http2Fault Http2Session::on_headers(const Http2Block& block) {
  head_done_ = true;
  if (block.stream % 2 == 0) return protocol_error("a stream of ours");
  if (Http2Stream* stream = find(block.stream)) return on_trailers(*stream, block);
  if (block.stream > last_id_) return on_request(block);
  Http2Fault fault = skip(block);
  if (fault || was_reset(block.stream)) return fault;
  return {Http2Error::stream_closed, "HEADERS on a closed stream"};
}

Http2Fault Http2Session::on_request(const Http2Block& block) {
  const HttpLimits& limits = frontend_.config().http.limits;
  last_id_ = block.stream;
  frontend_.cell().bytes_in.add(block.bytes.size());
  if (at_ == At::open) served_id_ = block.stream;
  if (at_ != At::open || open_ >= limits.max_streams) {
    if (Http2Fault fault = skip(block)) return fault;
    append_rst_stream(sender_.out(), block.stream, Http2Error::refused_stream);
    remember_reset(block.stream);
    return spend(kRefusedCost);
  }
  auto kept = frontend_.tools().take_request();
  Http2RequestReader request(*kept, {limits.max_uri_size, limits.max_header_size});
  Http2Fault fault = decoder_.read(
      block.bytes, most_of_a_block(),
      [&](std::string_view name, std::string_view value) { request.add(name, value); });
  if (!fault) fault = take_request(block, request, *kept);
  frontend_.tools().give_back(std::move(kept));
  if (++begun_ >= kStreamsPerTurn) reader_.stop();
  return fault;
}

Http2Fault Http2Session::take_request(const Http2Block& block, Http2RequestReader& request,
                                      KeptRequest& kept) {
  const RequestHead& head = kept.head;
  Http2Verdict verdict = request.finish(block.end_stream);
  if (verdict == Http2Verdict::malformed || block.on_itself) {
    log_refused(head, request.refusal(), 0);
    return blame(block.stream, Http2Error::protocol_error);
  }
  frames_.earn(kRequestEarns);
  Http2Stream& stream = open_stream(block.stream, block.end_stream);
  if (verdict == Http2Verdict::refused) {
    refuse(stream, head, request.refusal());
  } else {
    if (!head.upgrade.empty()) begin_tunnel(stream, kept);
    begin_exchange(stream, head);
  }
  return {};
}

// What HTTP/1 asks of a WebSocket's client beside. What it sends meanwhile waits for the server.
void Http2Session::begin_tunnel(Http2Stream& stream, KeptRequest& kept) {
  WorkerContext& worker = frontend_.worker();
  const uint64_t random[2] = {worker.next_random(), worker.next_random()};
  std::string key = encode_base64url({reinterpret_cast<const char*>(random), sizeof(random)});
  std::replace(key.begin(), key.end(), '-', '+');
  std::replace(key.begin(), key.end(), '_', '/');
  kept.head.fields.push_back({"Sec-WebSocket-Key", kept.keep(key + "=="), FieldId::other});
  stream.is_tunnel = stream.paused = true;
}

Http2Stream& Http2Session::open_stream(uint32_t id, bool remote_closed) {
  streams_.push_back(std::make_unique<Http2Stream>(*this, id, sender_.first_window(), now_ms()));
  ++open_;
  Http2Stream& stream = *streams_.back();
  stream.remote_closed = remote_closed;
  return stream;
}

void Http2Session::begin_exchange(Http2Stream& stream, const RequestHead& head) {
  RequestOrigin origin{peer_, {}, stream_.is_tls(), is_trusted_};
  if (frontend_.routes()->wants_local_address) origin.local = local_address(stream_.fd());
  // With a length of 0 the body's end is yet to come, but nobody need know.
  stream.has_length = head.body != BodyKind::streamed && !stream.is_tunnel;
  stream.length_left = head.length;
  stream.body_told = head.body == BodyKind::none;
  stream.exchange = std::make_unique<Exchange>(frontend_, stream, origin, head);
  stream.exchange->begin({{}, stream.body_told, nullptr});
  if (!stream.remote_closed) look_within(frontend_.config().timeouts.request_body);
}

void Http2Session::refuse(Http2Stream& stream, const RequestHead& head,
                          const HttpRefusal& refusal) {
  BodyPart part;
  ResponseHead& response = frontend_.tools().response;
  make_own_response(refusal.status, response, part);
  response.fields.push_back({"Date", frontend_.tools().date.now(), FieldId::date});
  if (head.method == Method::head) part.bytes = {};
  log_refused(head, refusal, part.bytes.size());
  stream.over = true;
  send_response(stream, response, part);
  settle(stream);
}

void Http2Session::log_refused(const RequestHead& head, const HttpRefusal& refusal, size_t bytes) {
  log::debug("listener {}: {}: {}", frontend_.config().name, peer_.to_string(), refusal.why);
  frontend_.exchange_over({.client = peer_,
                           .tls = stream_.tls(),
                           .request = head.method_name.empty() ? nullptr : &head,
                           .path = head.path,
                           .status = refusal.status,
                           .end = ExchangeEnd::bad_request,
                           .response_bytes = bytes,
                           .total_us = -1});
}

Http2Fault Http2Session::on_trailers(Http2Stream& stream, const Http2Block& block) {
  auto trailers = std::make_unique<Http2TrailerReader>();
  Http2Fault fault = decoder_.read(
      block.bytes, most_of_a_block(),
      [&](std::string_view name, std::string_view value) { trailers->add(name, value); });
  if (fault) return fault;
  if (stream.remote_closed) return blame(stream, Http2Error::stream_closed);
  bool is_short = stream.has_length && stream.length_left > 0;
  if (!block.end_stream || trailers->why() != nullptr || is_short || block.on_itself) {
    return blame(stream, Http2Error::protocol_error);
  }
  stream.remote_closed = true;
  if (stream.over) {
    settle(stream);
  } else if (stream.paused || !stream.held.empty()) {
    stream.held_trailers = std::move(trailers);
  } else {
    pass_on(stream, {}, &trailers->trailers());
  }
  return {};
}

Http2Fault Http2Session::on_data_frame(uint32_t id, uint32_t length) {
  if (length > receive_window_) {
    return {Http2Error::flow_control_error, "more than the connection's window"};
  }
  receive_window_ -= length;
  Http2Stream* stream = find(id);
  if (stream == nullptr) {
    if (is_idle(id)) return protocol_error("DATA on an idle stream");
    if (was_reset(id)) return {};
    return {Http2Error::stream_closed, "DATA on a closed stream"};
  }
  if (stream->remote_closed) return blame(*stream, Http2Error::stream_closed);
  if (length > stream->receive_window) return blame(*stream, Http2Error::flow_control_error);
  stream->receive_window -= length;
  return {};
}

Http2Fault Http2Session::on_data(uint32_t id, std::string_view bytes, size_t padding,
                                 bool end_stream) {
  Http2Stream* stream = find(id);
  give_back(stream, padding);
  if (bytes.empty() && !end_stream) {
    if (Http2Fault fault = spend(kFrameCost)) return fault;
  }
  if (stream == nullptr || stream->over) {
    give_back(nullptr, bytes.size());
    if (stream != nullptr && end_stream) {
      stream->remote_closed = true;
      settle(*stream);
    }
    return {};
  }
  if (stream->has_length) {
    bool is_wrong =
        bytes.size() > stream->length_left || (end_stream && bytes.size() < stream->length_left);
    if (is_wrong) {
      give_back(nullptr, bytes.size());
      return blame(*stream, Http2Error::protocol_error);
    }
    stream->length_left -= bytes.size();
  }
  stream->remote_closed |= end_stream;
  if (stream->paused || !stream->held.empty()) {
    stream->held.append(bytes);
  } else {
    pass_on(*stream, bytes, nullptr);
  }
  return {};
}

void Http2Session::pass_on(Http2Stream& stream, std::string_view bytes, const Trailers* trailers) {
  stream.since_ms = now_ms();
  bool is_last = stream.remote_closed;
  if (!stream.body_told && (is_last || !bytes.empty())) {
    stream.body_told = is_last;
    stream.exchange->on_body({bytes, is_last, trailers});
  }
  give_back(&stream, bytes.size());
}

void Http2Session::deliver_held() {
  for (size_t i = 0; i < streams_.size(); ++i) {
    Http2Stream& stream = *streams_[i];
    if (!std::exchange(stream.resumed, false)) continue;
    deliver_held(stream);
  }
}

// Piece by piece, until it is too much again.
void Http2Session::deliver_held(Http2Stream& stream) {
  stream.since_ms = now_ms();  // it was not for the client to send
  std::string held;
  held.swap(stream.held);
  size_t at = 0;
  while (!stream.over && !stream.closed && !stream.paused && !stream.body_told) {
    std::string_view piece = std::string_view(held).substr(at, kPiece);
    bool is_end = at + piece.size() == held.size();
    if (piece.empty() && !stream.remote_closed) break;
    at += piece.size();
    bool is_last = is_end && stream.remote_closed;
    const Trailers* trailers =
        is_last && stream.held_trailers ? &stream.held_trailers->trailers() : nullptr;
    stream.body_told = is_last;
    stream.exchange->on_body({piece, is_last, trailers});
    give_back(&stream, piece.size());
  }
  if (stream.over || stream.closed) return give_back(nullptr, held.size() - at);
  stream.held = held.substr(at);
  if (!stream.remote_closed) look_within(frontend_.config().timeouts.request_body);
}

// So many bytes of requests are no longer here: the client may send as many again.
void Http2Session::give_back(Http2Stream* stream, size_t bytes) {
  auto size = static_cast<int64_t>(bytes);
  unacknowledged_ += size;
  // Earlier where others hold the most of it, lest what goes round becomes less and less.
  bool is_due =
      is_window_closed() || unacknowledged_ >= std::min(kConnectionWindow / 2, receive_window_);
  if (is_due && unacknowledged_ > 0) {
    if (is_window_closed()) window_since_ms_ = now_ms();
    append_window_update(sender_.out(), 0, static_cast<uint32_t>(unacknowledged_));
    receive_window_ += std::exchange(unacknowledged_, 0);
    look_within(frontend_.config().timeouts.request_body);
    want_end_of_turn();
  }
  if (stream == nullptr || stream->closed || stream->remote_closed || stream->over) return;
  stream->unacknowledged += size;
  if (stream->unacknowledged < kStreamWindow / 2) return;
  append_window_update(sender_.out(), stream->id, static_cast<uint32_t>(stream->unacknowledged));
  stream->receive_window += std::exchange(stream->unacknowledged, 0);
  want_end_of_turn();
}

}  // namespace lb
