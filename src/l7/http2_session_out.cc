// SPDX-License-Identifier: MIT
// What goes to the client: heads, bodies as far as its windows and its socket take them, and the
// ends of streams.
#include <algorithm>
#include <charconv>
#include <utility>

#include "l7/exchange.h"
#include "l7/http2_session.h"
#include "l7/http_frontend.h"

namespace lb {

namespace {

// What bodies that are sent earn (see Http2Budget): window updates and PINGs that belong to them. A
// frame by itself earns nothing where a small window made it small.
constexpr int64_t kFrameEarns = 4;
constexpr int64_t kEarnPerBytes = 1024;
// A string that is sent from its front is moved together only now and then.
constexpr size_t kMoveFrom = 32 * 1024;
// Memory that a connection keeps from turn to turn.
constexpr size_t kKeptOut = 16 * 1024;

void remove_front(std::string& bytes, size_t& at) {
  if (at == bytes.size()) {
    std::string().swap(bytes);
    at = 0;
  } else if (at >= kMoveFrom) {
    bytes.erase(0, std::exchange(at, 0));
  }
}

bool is_streamed(const ResponseHead& head) {
  return head.body == BodyKind::streamed || head.body == BodyKind::until_close;
}

}  // namespace

void Http2Session::send_first_settings() {
  const HttpLimits& limits = frontend_.config().http.limits;
  std::string settings;
  append_setting(settings, Http2Setting::max_concurrent_streams, limits.max_streams);
  append_setting(settings, Http2Setting::initial_window_size, uint32_t{kStreamWindow});
  append_setting(settings, Http2Setting::max_header_list_size,
                 static_cast<uint32_t>(limits.max_header_size));
  append_setting(settings, Http2Setting::no_rfc7540_priorities, 1);
  append_frame_header(out_, {static_cast<uint32_t>(settings.size()), Http2Type::settings, 0, 0});
  out_.append(settings);
  append_window_update(out_, 0, uint32_t{kConnectionWindow - kHttp2FirstWindow});
  want_end_of_turn();
}

void Http2Session::append_block(uint32_t stream, std::span<const Field> fields, bool end_stream) {
  size_t at = out_.size();
  out_.resize(at + kHttp2FrameHeader);
  encoder_.encode(fields, out_);
  frame_header_block(out_, at, stream, end_stream);
  want_end_of_turn();
}

void Http2Session::append_head(const Http2Stream& stream, const ResponseHead& head,
                               bool end_stream) {
  std::vector<Field>& fields = frontend_.tools().fields;
  char status[4];
  char length[24];
  fields.clear();
  auto digits = [](char* begin, char* end, uint64_t number) {
    return std::string_view(begin, std::to_chars(begin, end, number).ptr);
  };
  fields.push_back({":status",
                    digits(status, status + sizeof(status), static_cast<uint64_t>(head.status)),
                    FieldId::other});
  for (const Field& field : head.fields) {
    if (!is_of_connection(field.id)) fields.push_back(field);
  }
  if (head.length && !is_streamed(head) && head.status >= 200 && head.status != 204) {
    fields.push_back({"content-length", digits(length, length + sizeof(length), *head.length),
                      FieldId::content_length});
  }
  size_t before = out_.size();
  append_block(stream.id, fields, end_stream);
  frontend_.cell().bytes_out.add(out_.size() - before);
}

void Http2Session::send_interim(Http2Stream& stream, const ResponseHead& head) {
  if (stream.closed || is_gone()) return;
  append_head(stream, head, false);
  note_blocked(stream);
  if (head.status != 100) return;
  stream.since_ms = now_ms();  // from here on it is for the client to send
  look_within(frontend_.config().timeouts.request_body);
}

void Http2Session::send_response(Http2Stream& stream, const ResponseHead& head,
                                 const BodyPart& part) {
  if (stream.closed || is_gone()) return;
  stream.head_sent = true;
  bool has_trailers = part.trailers != nullptr && !part.trailers->empty();
  bool is_all = part.is_last && part.bytes.empty() && !has_trailers;
  append_head(stream, head, is_all);
  stream.end_due = stream.end_sent = is_all;
  if (!is_all) send_body(stream, part);
}

void Http2Session::send_body(Http2Stream& stream, const BodyPart& part) {
  if (stream.closed || is_gone()) return;
  if (part.trailers != nullptr && !part.trailers->empty()) {
    stream.trailers = std::make_unique<KeptRequest>();
    for (const Field& field : *part.trailers) {
      stream.trailers->head.fields.push_back(
          {stream.trailers->keep(field.name), stream.trailers->keep(field.value), field.id});
    }
  }
  stream.end_due |= part.is_last;
  size_t sent = 0;
  if (stream.pending.empty()) sent = emit(stream, part.bytes, part.is_last);
  if (sent < part.bytes.size()) {
    if (stream.pending.empty()) {
      ++pending_;
      stream.stalled_since_ms = now_ms();
      look_within(frontend_.config().timeouts.send);
    }
    stream.pending.append(part.bytes.substr(sent));
  } else if (stream.pending.empty() && stream.end_due && !stream.end_sent) {
    emit_end(stream);
  }
  note_blocked(stream);
  want_end_of_turn();
}

// Its exchange is about to ask.
void Http2Session::note_blocked(Http2Stream& stream) {
  stream.was_blocked = stream.is_blocked();
  has_blocked_ |= stream.was_blocked;
}

// As much as windows and socket take now; returns how much that was.
size_t Http2Session::emit(Http2Stream& stream, std::string_view bytes, bool is_last) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    if (is_congested() && (stalled_since_ms_ != 0 || !flush())) break;
    int64_t window = std::min(stream.send_window, send_window_);
    if (window <= 0) break;
    size_t size = std::min(bytes.size() - sent, kHttp2MaxFrame);
    size = static_cast<size_t>(std::min(window, static_cast<int64_t>(size)));
    bool ends = is_last && !stream.trailers && sent + size == bytes.size();
    uint8_t flags = ends ? Http2Flag::kEndStream : uint8_t{0};
    append_frame_header(out_, {static_cast<uint32_t>(size), Http2Type::data, flags, stream.id});
    out_.append(bytes.substr(sent, size));
    stream.end_sent |= ends;
    stream.send_window -= static_cast<int64_t>(size);
    send_window_ -= static_cast<int64_t>(size);
    bool is_cut = static_cast<int64_t>(size) == window;
    frames_.earn((is_cut ? 0 : kFrameEarns) + static_cast<int64_t>(size) / kEarnPerBytes);
    sent += size;
  }
  return sent;
}

void Http2Session::emit_end(Http2Stream& stream) {
  stream.end_sent = true;
  if (stream.trailers) {
    append_block(stream.id, stream.trailers->head.fields, true);
  } else {
    append_frame_header(out_, {0, Http2Type::data, Http2Flag::kEndStream, stream.id});
  }
}

// One frame of what waits. Whether any went.
bool Http2Session::emit_pending(Http2Stream& stream) {
  std::string_view rest = std::string_view(stream.pending).substr(stream.pending_at);
  std::string_view piece = rest.substr(0, kHttp2MaxFrame);
  size_t sent = emit(stream, piece, stream.end_due && piece.size() == rest.size());
  if (sent == 0) return false;
  stream.pending_at += sent;
  remove_front(stream.pending, stream.pending_at);
  stream.stalled_since_ms = now_ms();
  if (stream.pending.empty()) {
    --pending_;
    stream.stalled_since_ms = 0;
    if (stream.end_due && !stream.end_sent) emit_end(stream);
    settle(stream);
  }
  return true;
}

// A frame of each stream in turn, as long as there is room. Whether any went.
bool Http2Session::pump() {
  bool any = false;
  size_t idle = 0;  // streams in a row that had nothing, or could not
  while (pending_ > 0 && idle < streams_.size() && send_window_ > 0) {
    turn_of_ = (turn_of_ + 1) % streams_.size();
    Http2Stream& stream = *streams_[turn_of_];
    bool went = !stream.closed && stream.pending_size() > 0 && emit_pending(stream);
    idle = went ? 0 : idle + 1;
    any |= went;
    if (is_congested() && stalled_since_ms_ != 0) break;
  }
  return any;
}

void Http2Session::wake_unblocked() {
  for (size_t i = 0; i < streams_.size(); ++i) {
    Http2Stream& stream = *streams_[i];
    if (!stream.was_blocked) continue;
    if (stream.is_blocked()) {
      has_blocked_ = true;
      continue;
    }
    stream.was_blocked = false;
    if (stream.exchange) stream.exchange->client_drained();
  }
}

size_t Http2Session::room(const Http2Stream& stream) const {
  int64_t window = std::min(stream.send_window, send_window_);
  if (stream.is_blocked() || window <= 0) return 0;
  return static_cast<size_t>(window);
}

// Ends it at once, whatever waits.
void Http2Session::reset(Http2Stream& stream, Http2Error error) {
  if (stream.closed) return;
  append_rst_stream(out_, stream.id, error);
  if (!stream.remote_closed) remember_reset(stream.id);
  close_stream(stream);
}

void Http2Session::give_up(Http2Stream& stream, Http2Error error, ExchangeEnd why) {
  reset(stream, error);
  if (stream.exchange) stream.exchange->client_gone(why);
}

void Http2Session::give_up_all(ExchangeEnd why) {
  for (size_t i = 0; i < streams_.size(); ++i) {
    Http2Stream& stream = *streams_[i];
    close_stream(stream);
    if (stream.exchange) stream.exchange->client_gone(why);
  }
}

void Http2Session::exchange_done(Http2Stream& stream) {
  stream.over = true;
  give_back(nullptr, stream.held.size());
  std::string().swap(stream.held);
  frontend_.worker().loop.retire(std::move(stream.exchange));
  if (stream.end_due) wasted_.earn(1);
  settle(stream);
}

// Closes a stream on which both sides have said all, or on which we have and the rest of the
// request is of no use (RFC 9113, 8.1).
void Http2Session::settle(Http2Stream& stream) {
  if (stream.closed || !stream.over) return;
  if (!stream.end_due) return reset(stream, Http2Error::internal_error);
  if (!stream.end_sent) return;
  if (!stream.remote_closed) return reset(stream, Http2Error::no_error);
  close_stream(stream);
}

void Http2Session::close_stream(Http2Stream& stream) {
  if (std::exchange(stream.closed, true)) return;
  has_closed_ = true;
  give_back(nullptr, stream.held.size());
  std::string().swap(stream.held);
  if (!stream.pending.empty()) --pending_;
  std::string().swap(stream.pending);
  stream.pending_at = 0;
  if (--open_ == 0) {
    since_ms_ = now_ms();
    look_within(frontend_.config().timeouts.keep_alive);
  }
  want_end_of_turn();
}

void Http2Session::sweep() {
  if (!std::exchange(has_closed_, false)) return;
  std::erase_if(streams_, [this](std::unique_ptr<Http2Stream>& stream) {
    if (!stream->closed) return false;
    frontend_.worker().loop.retire(std::move(stream));
    return true;
  });
  if (streams_.empty()) std::vector<std::unique_ptr<Http2Stream>>().swap(streams_);
  turn_of_ = 0;
}

void Http2Session::on_writable() {
  if (at_ == At::ended) return;
  if (std::exchange(read_wants_write_, false)) {
    readable_.arm();
    readable_.set_again(true);
  }
  flush();
  watch();
  want_end_of_turn();
}

// Whether all is sent.
bool Http2Session::flush() {
  while (out_at_ < out_.size() && !gone_) {
    Transfer sent = stream_.write(std::string_view(out_).substr(out_at_));
    if (sent.outcome == Transfer::Outcome::failed) {
      gone_ = true;
      want_end_of_turn();
      return false;
    }
    if (sent.outcome != Transfer::Outcome::done) {
      if (sent.outcome != Transfer::Outcome::wants_read) writable_.arm();
      if (stalled_since_ms_ == 0) {
        stalled_since_ms_ = now_ms();
        look_within(frontend_.config().timeouts.send);
      }
      return false;
    }
    if (stalled_since_ms_ != 0) stalled_since_ms_ = now_ms();
    out_at_ += sent.bytes;
    if (out_at_ >= kMostOut) out_.erase(0, std::exchange(out_at_, 0));
  }
  if (gone_) return false;
  out_.clear();
  out_at_ = 0;
  if (out_.capacity() > kKeptOut || open_ == 0) out_.shrink_to_fit();
  stalled_since_ms_ = 0;
  writable_.disarm();
  return true;
}

}  // namespace lb
