// SPDX-License-Identifier: MIT
// The connection as a whole, and what it sends.
#include "l7/http2_server_connection.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/log.h"
#include "l7/http_tools.h"
#include "net/tls_session.h"

namespace lb {

namespace {

// Frames of no use by themselves, as of clients: a server that sends so many is out of order.
constexpr Http2Budget::Size kFrames{10'000, 2'000};
// A connection on which a question goes unanswered, and nothing else comes either.
constexpr int64_t kMostSilence_ms = 500;

}  // namespace

Http2ServerConnection::Http2ServerConnection(HttpTools& tools, Server& server, Stream stream,
                                             const TlsClientContext* context, const Idle& idle)
    : tools_(tools),
      server_(server),
      stream_(std::move(stream)),
      context_(context),
      reader_(*this, {}, kMaxResponseHead + kHttp2MaxFrame),
      sender_(tools.worker.loop, stream_, writable_, *this),
      frames_(kFrames, tools.worker.loop.now_ms()),
      idle_since_ms_(tools.worker.loop.now_ms()),
      idle_(idle),
      handshaking_(stream_.is_tls()) {
  EventLoop& loop = tools.worker.loop;
  readable_.bind<&Http2ServerConnection::on_readable>(loop, stream_.fd(), IoEvent::kRead, this);
  writable_.bind<&Http2ServerConnection::on_writable>(loop, stream_.fd(), IoEvent::kWrite, this);
  if (server.address().is_ip()) set_nodelay(stream_.fd());
  std::string settings;
  append_setting(settings, Http2Setting::enable_push, 0);
  append_setting(settings, Http2Setting::initial_window_size, uint32_t{kStreamWindow});
  append_setting(settings, Http2Setting::max_header_list_size, uint32_t{kMaxResponseHead});
  std::string& out = sender_.out();
  out.append(kHttp2Preface);
  append_frame_header(out, {static_cast<uint32_t>(settings.size()), Http2Type::settings, 0, 0});
  out.append(settings);
  append_window_update(out, 0, uint32_t{kConnectionWindow - kHttp2FirstWindow});
  sender_.hold(handshaking_);
  readable_.arm();
  if (handshaking_) writable_.arm();  // to begin it as soon as the connect is through
  want_end_of_turn();
}

Http2ServerConnection::~Http2ServerConnection() {
  close();
}

void Http2ServerConnection::set_preface(std::string_view bytes) {
  serves_one_ = true;
  if (stream_.is_tls()) {
    stream_.send_first(bytes);
  } else {
    sender_.out().insert(0, bytes);
  }
}

void Http2ServerConnection::set_keepalive(const Keepalive& keepalive) {
  if (server_.address().is_ip()) lb::set_keepalive(stream_.fd(), keepalive);
}

void Http2ServerConnection::want_end_of_turn() {
  if (!in_end_of_turn_) tools_.worker.loop.at_end_of_turn(*this);
}

bool Http2ServerConnection::has_room() const {
  return !is_closed_ && !is_going_ && !sender_.has_failed() && !sender_.is_congested() &&
         (!serves_one_ || next_id_ == 1) &&
         streams_.size() < std::min(most_streams_, kMostStreams) && next_id_ <= kHttp2MaxStream;
}

std::unique_ptr<ServerStream> Http2ServerConnection::open() {
  return std::make_unique<Http2ServerStream>(*this, server_, is_through_);
}

void Http2ServerConnection::start(Http2ServerStream& stream, const RequestHead& head,
                                  const BodyPart& part) {
  stream.id = next_id_;
  stream.window = sender_.first_window();
  stream.method = head.method;
  stream.at = Http2ServerStream::At::head;
  stream.begins_at = sender_.queued();
  next_id_ += 2;
  streams_.push_back(&stream);
  if (silent_since_ms_ == 0) silent_since_ms_ = tools_.worker.loop.now_ms();
  bool has_trailers = part.trailers != nullptr && !part.trailers->empty();
  bool is_all = part.is_last && part.bytes.empty() && !has_trailers;
  append_head(stream, head, is_all);
  if (!is_all) send_body(stream, part);
  note_blocked(stream);
  want_end_of_turn();
}

void Http2ServerConnection::append_head(Http2ServerStream& stream, const RequestHead& head,
                                        bool end_stream) {
  std::vector<Field>& fields = tools_.fields;
  std::string& target = tools_.out;
  target.assign(head.path).append(head.query);
  std::string length = std::to_string(head.length);
  fields.clear();
  fields.push_back({":method", head.method_name, FieldId::other});
  fields.push_back({":scheme", context_ != nullptr ? "https" : "http", FieldId::other});
  fields.push_back({":authority", head.authority, FieldId::other});
  fields.push_back({":path", target, FieldId::other});
  for (const Field& field : head.fields) {
    if (!is_of_connection(field.id)) fields.push_back(field);
  }
  if (head.takes_trailers) fields.push_back({"te", "trailers", FieldId::te});
  if (head.body == BodyKind::length) {
    fields.push_back({"content-length", length, FieldId::content_length});
  }
  stream.sent += sender_.send_head(stream, fields, end_stream);
}

void Http2ServerConnection::send_body(Http2ServerStream& stream, const BodyPart& part) {
  if (stream.end_sent) return;  // the server wants no more of it
  stream.sent += part.bytes.size();
  sender_.send_body(stream, part);
  note_blocked(stream);
  want_end_of_turn();
}

// Its exchange is about to ask.
void Http2ServerConnection::note_blocked(Http2ServerStream& stream) {
  stream.was_blocked = is_waiting(stream);
  has_blocked_ |= stream.was_blocked;
}

// Its exchange may wait for more to be taken. Until something is on its way it keeps all that it is
// given, and waits with the rest.
bool Http2ServerConnection::is_waiting(const Http2ServerStream& stream) const {
  return sender_.is_blocked(stream) || !has_written(stream);
}

bool Http2ServerConnection::has_written(const Http2ServerStream& stream) const {
  return stream.id != 0 && sender_.written() > stream.begins_at;
}

void Http2ServerConnection::wake() {
  has_resumed_ = true;
  want_end_of_turn();
}

void Http2ServerConnection::on_sent(Http2Outgoing&) {
  has_blocked_ = true;  // one that waited may go on
}

// Its exchange wants no more of it.
void Http2ServerConnection::give_up(Http2ServerStream& stream) {
  bool is_begun = stream.at != Http2ServerStream::At::idle;
  bool is_complete = stream.remote_closed && stream.end_sent;
  if (is_begun && !is_complete) {
    bool is_answered = stream.at == Http2ServerStream::At::done;
    append_rst_stream(sender_.out(), stream.id,
                      is_answered ? Http2Error::no_error : Http2Error::cancel);
  }
  // Whoever waited in vain for its connect, or for any word, would not have others wait, too.
  bool is_silent = stream.at == Http2ServerStream::At::head && silent_since_ms_ != 0 &&
                   tools_.worker.loop.now_ms() >= silent_since_ms_ + kMostSilence_ms;
  if (!is_through_ || is_silent) is_going_ = true;
  detach(stream);
}

void Http2ServerConnection::detach(Http2ServerStream& stream) {
  stream.was_written = has_written(stream);
  stream.was_through = is_through_;
  sender_.drop(stream);
  std::string().swap(stream.held);
  stream.connection = nullptr;
  auto found = std::find(streams_.begin(), streams_.end(), &stream);
  if (found == streams_.end()) return;
  streams_.erase(found);
  if (streams_.empty()) {
    idle_since_ms_ = tools_.worker.loop.now_ms();
    if (idle_.most_ms > 0 && !is_closed_) {
      tools_.worker.timeouts.set_at_most(*this, idle_since_ms_ + idle_.most_ms);
    }
  }
  want_end_of_turn();
}

bool Http2ServerConnection::is_attached(const Http2ServerStream* stream) const {
  return std::find(streams_.begin(), streams_.end(), stream) != streams_.end();
}

Http2ServerStream* Http2ServerConnection::find(uint32_t id) const {
  auto found = std::lower_bound(
      streams_.begin(), streams_.end(), id,
      [](const Http2ServerStream* stream, uint32_t wanted) { return stream->id < wanted; });
  return found != streams_.end() && (*found)->id == id ? *found : nullptr;
}

void Http2ServerConnection::leave() {
  is_going_ = true;
  want_end_of_turn();
}

// Without streams, and without hope of any.
bool Http2ServerConnection::is_of_no_more_use() const {
  if (!streams_.empty() || next_id_ == 1) return false;
  return is_going_ || serves_one_ || !idle_.is_kept || !is_through_ || sender_.has_failed() ||
         next_id_ > kHttp2MaxStream;
}

void Http2ServerConnection::end_turn() {
  in_end_of_turn_ = true;
  if (std::exchange(has_resumed_, false)) deliver_held();
  in_end_of_turn_ = false;
  if (!is_closed_) return write();
  if (has_resumed_) want_end_of_turn();
  if (streams_.empty()) tools_.servers.drop(*this);
}

void Http2ServerConnection::write() {
  in_end_of_turn_ = true;
  sender_.send_all();
  if (sender_.written() > 0) note_through();
  if (std::exchange(has_blocked_, false)) wake_drained();
  in_end_of_turn_ = false;
  bool is_unsent =
      !sender_.empty() && sender_.stalled_since_ms() == 0 && !handshaking_ && !sender_.has_failed();
  if (has_resumed_ || is_unsent) want_end_of_turn();
  if (read_wants_write_) writable_.arm();  // which writing may have disarmed
  if (sender_.has_failed()) {
    // What it sent before may still be read, and reading tells of the end, too.
    if (!is_through_) return end_of_connect(stream_.error());
    readable_.arm();
  }
  if (is_of_no_more_use()) {
    append_goaway(sender_.out(), 0, Http2Error::no_error, {});
    sender_.flush();
    tools_.servers.drop(*this);
  } else if (streams_.empty()) {
    sender_.release();
  }
}

void Http2ServerConnection::wake_drained() {
  std::vector<Http2ServerStream*> all = streams_;
  for (Http2ServerStream* stream : all) {
    if (!is_attached(stream) || !stream->was_blocked) continue;
    if (is_waiting(*stream)) {
      has_blocked_ = true;
      continue;
    }
    stream->was_blocked = false;
    if (stream->sink != nullptr) stream->sink->on_server_drained();
  }
}

// A server that nobody asks anything is perhaps gone already.
void Http2ServerConnection::note_through() {
  if (std::exchange(is_through_, true) || streams_.empty()) return;
  server_.cell(tools_.worker.index).connections.fetch_add(1, std::memory_order_relaxed);
}

// It ended in this errno before it stood, as far as is known.
void Http2ServerConnection::end_of_connect(int error) {
  bool was_reset = error == ECONNRESET || error == EPIPE;
  fail_all(was_reset ? ServerFailure::silent : ServerFailure::connect,
           error != 0 ? error : ECONNABORTED);
}

bool Http2ServerConnection::is_through(bool ask) {
  if (is_through_ || handshaking_ || !ask) return is_through_;
  return connect_state(stream_.fd()) == 0;
}

// Whether the handshake is complete.
bool Http2ServerConnection::shake_hands() {
  WorkerContext& worker = tools_.worker;
  Transfer step{};
  if (!worker.handshakes.run(worker.loop, [&] { step = stream_.handshake(); })) return false;
  switch (step.outcome) {
    case Transfer::Outcome::done:
      if (stream_.tls()->alpn() != "h2") {
        worker.note_tls_failure(server_, "it does not speak HTTP/2");
        fail_all(ServerFailure::connect, EPROTO);
        return false;
      }
      handshaking_ = false;
      sender_.hold(false);
      writable_.disarm();
      readable_.set_again(stream_.has_pending());
      want_end_of_turn();
      return true;
    case Transfer::Outcome::wants_write:
      writable_.arm();
      return false;
    case Transfer::Outcome::wants_read:
      writable_.disarm();
      return false;
    default:
      if (stream_.error() == 0) worker.note_tls_failure(server_, stream_.reason());
      fail_all(ServerFailure::connect, stream_.error() != 0 ? stream_.error() : EPROTO);
      return false;
  }
}

void Http2ServerConnection::on_writable() {
  if (handshaking_) {
    (void)shake_hands();
    return;
  }
  if (std::exchange(read_wants_write_, false)) {
    readable_.arm();
    readable_.set_again(true);
  }
  sender_.flush();
  has_blocked_ = true;
  want_end_of_turn();
}

// The streams that it will not complete. Ends it.
void Http2ServerConnection::fail_all(ServerFailure failure, int error) {
  is_going_ = true;
  std::vector<Http2ServerStream*> all = streams_;
  for (Http2ServerStream* stream : all) {
    if (!is_attached(stream)) continue;
    if (stream->is_whole()) {
      let_go(*stream);
      continue;
    }
    bool is_begun = stream->received > 0;
    ServerFailure how = failure;
    if (failure == ServerFailure::silent && is_begun) how = ServerFailure::broken;
    fail(*stream, how, error);
  }
  if (is_closed_) return;
  if (streams_.empty()) return tools_.servers.drop(*this);
  hang_up();
}

// The server has said all, and hears no more: it remains to pass on what is held.
void Http2ServerConnection::let_go(Http2ServerStream& stream) {
  sender_.drop(stream);
  stream.end_sent = true;
  if (std::exchange(stream.was_blocked, false)) stream.sink->on_server_drained();
}

void Http2ServerConnection::fail(Http2ServerStream& stream, ServerFailure failure, int error) {
  ResponseSink* sink = std::exchange(stream.sink, nullptr);
  bool is_done = stream.at == Http2ServerStream::At::done;
  detach(stream);
  stream.at = Http2ServerStream::At::closed;
  if (sink != nullptr && !is_done) sink->on_server_failed(failure, error);
}

void Http2ServerConnection::on_timeout() {
  if (!streams_.empty() || is_closed_) return;  // set again when idle
  int64_t due_ms = idle_since_ms_ + idle_.most_ms;
  if (tools_.worker.loop.now_ms() < due_ms) return tools_.worker.timeouts.set(*this, due_ms);
  leave();
}

void Http2ServerConnection::close() {
  if (!is_closed_) hang_up();
  std::vector<Http2ServerStream*> all = streams_;
  for (Http2ServerStream* stream : all) fail(*stream, ServerFailure::broken, 0);
}

void Http2ServerConnection::hang_up() {
  is_closed_ = is_going_ = true;
  reader_.stop();
  tools_.worker.timeouts.clear(*this);
  if (readable_.armed()) writable_.disarm();
  stream_.close();
  readable_.disarm();
  writable_.disarm();
}

}  // namespace lb
