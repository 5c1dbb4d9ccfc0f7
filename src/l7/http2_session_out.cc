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
  append_setting(settings, Http2Setting::enable_connect_protocol, 1);
  append_setting(settings, Http2Setting::no_rfc7540_priorities, 1);
  append_frame_header(sender_.out(),
                      {static_cast<uint32_t>(settings.size()), Http2Type::settings, 0, 0});
  sender_.out().append(settings);
  append_window_update(sender_.out(), 0, uint32_t{kConnectionWindow - kHttp2FirstWindow});
  want_end_of_turn();
}

void Http2Session::append_head(Http2Stream& stream, const ResponseHead& head, bool end_stream) {
  std::vector<Field>& fields = frontend_.tools().fields;
  char status[4];
  char length[24];
  fields.clear();
  auto digits = [](char* begin, char* end, uint64_t number) {
    return std::string_view(begin, std::to_chars(begin, end, number).ptr);
  };
  bool opens_tunnel = head.status == 101;
  auto number = static_cast<uint64_t>(opens_tunnel ? 200 : head.status);
  fields.push_back({":status", digits(status, status + sizeof(status), number), FieldId::other});
  for (const Field& field : head.fields) {
    bool is_told = !opens_tunnel || !equal_nocase(field.name, "sec-websocket-accept");
    if (is_told && !is_of_connection(field.id)) fields.push_back(field);
  }
  if (head.length && !is_streamed(head) && head.status >= 200 && head.status != 204) {
    fields.push_back({"content-length", digits(length, length + sizeof(length), *head.length),
                      FieldId::content_length});
  }
  frontend_.cell().bytes_out.add(sender_.send_head(stream, fields, end_stream));
  want_end_of_turn();
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
  if (head.status == 101) {
    stream.body_told = false;
  } else if (stream.is_tunnel && head.status < 300) {
    // To the client it would mean that the server has agreed.
    return reset(stream, Http2Error::connect_error);
  }
  bool has_trailers = part.trailers != nullptr && !part.trailers->empty();
  bool is_all = part.is_last && part.bytes.empty() && !has_trailers;
  append_head(stream, head, is_all);
  if (!is_all) send_body(stream, part);
}

void Http2Session::send_body(Http2Stream& stream, const BodyPart& part) {
  if (stream.closed || is_gone()) return;
  sender_.send_body(stream, part);
  note_blocked(stream);
  want_end_of_turn();
}

// Its exchange is about to ask.
void Http2Session::note_blocked(Http2Stream& stream) {
  stream.was_blocked = stream.is_blocked();
  has_blocked_ |= stream.was_blocked;
}

void Http2Session::on_sent(Http2Outgoing& stream) {
  settle(static_cast<Http2Stream&>(stream));
}

void Http2Session::on_stalled() {
  look_within(frontend_.config().timeouts.send);
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

// Ends it at once, whatever waits.
void Http2Session::reset(Http2Stream& stream, Http2Error error) {
  if (stream.closed) return;
  append_rst_stream(sender_.out(), stream.id, error);
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
  sender_.drop(stream);
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
}

void Http2Session::on_writable() {
  if (at_ == At::ended) return;
  if (std::exchange(read_wants_write_, false)) {
    readable_.arm();
    readable_.set_again(true);
  }
  sender_.flush();
  watch();
  want_end_of_turn();
}

}  // namespace lb
