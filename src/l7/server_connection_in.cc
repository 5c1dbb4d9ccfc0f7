// SPDX-License-Identifier: MIT
// What comes from the server.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "l7/http_tools.h"
#include "l7/server_connection.h"

namespace lb {

namespace {

constexpr int kReadsPerTurn = 4;
// A head must come through, however little of a body the client takes.
constexpr size_t kSmallestRead = 4 * 1024;

}  // namespace

void ServerConnection::on_readable() {
  if (handshaking_) return on_writable();
  for (int i = 0; i < kReadsPerTurn; ++i) {
    Pipe* pipe = at_ == At::body && sense_.wants_splice() ? sink_->body_pipe() : nullptr;
    if (!(pipe != nullptr ? splice_once(*pipe, i == 0) : read_once())) return;
  }
  readable_.set_again(stream_.has_pending());
}

// One read. False when there is no use in another one now.
bool ServerConnection::read_once() {
  size_t room = HttpTools::kScratchSize;
  if (sink_ != nullptr) room = std::clamp(sink_->body_room(), kSmallestRead, room);
  Transfer got = stream_.read({tools_.server_scratch(), room});
  switch (got.outcome) {
    case Transfer::Outcome::done: {
      note_through();
      sense_.note_read(got.bytes == HttpTools::kScratchSize && is_spliceable());
      bool is_short = stream_.is_tls() ? stream_.tls()->drained() : got.bytes < room;
      bytes_received_ += got.bytes;
      take(tools_.server_scratch(), got.bytes);
      bool goes_on = (at_ == At::head || at_ == At::body) && !is_paused_;
      return goes_on && !is_short;
    }
    default:
      return ended(got);
  }
}

// Large bodies in clear whose length, or whose end, is the connection's.
bool ServerConnection::is_spliceable() const {
  return !stream_.is_tls() && at_ == At::body && response_body_ != BodyKind::streamed;
}

// As read_once(). `is_first`: an event has just said that there is something.
bool ServerConnection::splice_once(Pipe& pipe, bool is_first) {
  bool has_length = response_body_ == BodyKind::length;
  Transfer got = splice_from(stream_, pipe, has_length ? left_ : pipe.capacity);
  if (got.outcome != Transfer::Outcome::done) {
    // Before a byte of urgent data splice(2) finds nothing for ever; recv(2) passes over it.
    if (is_first) sense_.set(false);
    return ended(got);
  }
  bytes_received_ += got.bytes;
  sense_.note_splice(got.bytes);
  BodyPart part;
  part.piped = got.bytes;
  if (has_length) left_ -= got.bytes;
  part.is_last = has_length && left_ == 0;
  if (part.is_last) at_ = At::done;
  sink_->on_response_body(part);
  return at_ == At::body && !is_paused_ && got.bytes >= StreamPipe::kSmallSplice;
}

// A read that yielded nothing. False: there is no use in another one now.
bool ServerConnection::ended(const Transfer& got) {
  switch (got.outcome) {
    case Transfer::Outcome::wants_read:
      readable_.set_again(false);
      break;
    case Transfer::Outcome::wants_write:
      readable_.disarm();
      read_wants_write_ = true;
      writable_.arm();
      break;
    case Transfer::Outcome::end:
    case Transfer::Outcome::cut:
      take_end(got.outcome == Transfer::Outcome::end);
      break;
    default: {
      int error = stream_.error();
      bool never_stood = !is_through_ && error != 0 && !is_reset(error);
      bool is_silent = at_ == At::head && partial_.empty();
      fail(never_stood ? ServerFailure::connect
                       : (is_silent ? ServerFailure::silent : ServerFailure::broken),
           error);
    }
  }
  return false;
}

void ServerConnection::take(char* bytes, size_t size) {
  if (at_ == At::head) {
    if (partial_.empty()) return take_head(bytes, size);
    partial_.append(bytes, size);
    std::string whole = std::move(partial_);  // the sink may start another request meanwhile
    partial_.clear();
    return take_head(whole.data(), whole.size());
  }
  if (at_ != At::body) {  // a server that speaks without being asked
    surplus_ = true;
    if (at_ == At::idle) tools_.servers.drop(*this);
    return;
  }
  bool good = true;
  BodyPart part = next_part(bytes, size, good);
  if (!good) return fail(ServerFailure::broken, 0);
  if (!part.bytes.empty() || part.is_last) sink_->on_response_body(part);
}

void ServerConnection::take_head(char* bytes, size_t size) {
  while (true) {
    ResponseHead& head = tools_.response;
    Parse parsed = parser_.parse({bytes, size}, method_, head);
    if (parsed == Parse::refused) return fail(ServerFailure::nonsense, 0);
    if (parsed == Parse::incomplete) {
      partial_.assign(bytes, size);
      return;
    }
    size_t length = parser_.size();
    bool is_interim = head.status < 200 && head.status != 101;
    if (!is_interim) {
      is_last_ |= head.is_last || head.status == 101;
      response_body_ = head.body;
      is_doubtful_ = head.body == BodyKind::none && head.length.value_or(1) != 0;
      is_raw_ = head.status == 101;
      if (is_raw_) response_body_ = BodyKind::until_close;
      left_ = head.body == BodyKind::length ? head.length.value_or(0) : 0;
      at_ = At::body;
      bool good = true;
      BodyPart part = next_part(bytes + length, size - length, good);
      if (!good) return fail(ServerFailure::nonsense, 0);
      return sink_->on_response(head, part);
    }
    sink_->on_interim(head);
    if (at_ != At::head) return;
    parser_.reset();
    bytes += length;
    size -= length;
    if (size == 0) return;
  }
}

// What of the body these bytes hold.
BodyPart ServerConnection::next_part(char* bytes, size_t size, bool& good) {
  BodyPart part;
  size_t taken = size;
  switch (response_body_) {
    case BodyKind::none:
      part.is_last = true;
      taken = 0;
      break;
    case BodyKind::length:
      taken = static_cast<size_t>(std::min<uint64_t>(left_, size));
      part.bytes = {bytes, taken};
      left_ -= taken;
      part.is_last = left_ == 0;
      break;
    case BodyKind::streamed: {
      ChunkDecoder::Step step = decoder_.decode(bytes, size);
      good = step.state != ChunkDecoder::State::refused;
      part.bytes = {bytes, step.body};
      part.is_last = step.state == ChunkDecoder::State::done;
      part.trailers = &decoder_.trailers();
      taken = step.taken;
      break;
    }
    case BodyKind::until_close:
      part.bytes = {bytes, size};
      break;
  }
  if (part.is_last) {
    at_ = At::done;
    surplus_ |= taken < size;
  }
  return part;
}

void ServerConnection::take_end(bool in_order) {
  switch (at_) {
    case At::idle:
      return tools_.servers.drop(*this);
    case At::head:
      return fail(partial_.empty() ? ServerFailure::silent : ServerFailure::nonsense, 0);
    case At::body:
      if (response_body_ != BodyKind::until_close || !in_order) {
        return fail(ServerFailure::broken, 0);
      }
      at_ = At::done;
      readable_.disarm();
      return sink_->on_response_body({{}, true, nullptr});
    case At::done:
      surplus_ = true;  // not to be used again
      readable_.disarm();
      return;
    case At::closed:
      return;
  }
}

void ServerConnection::fail(ServerFailure failure, int error) {
  if (at_ == At::idle) return tools_.servers.drop(*this);
  if (at_ == At::done) {
    surplus_ = true;
    readable_.disarm();
    return;
  }
  ResponseSink* sink = sink_;
  close();
  if (sink != nullptr) sink->on_server_failed(failure, error);
}

}  // namespace lb
