// SPDX-License-Identifier: MIT
#include "l7/http2_sender.h"

#include <algorithm>
#include <utility>

namespace lb {

namespace {

// What bodies that are sent earn: window updates and PINGs that belong to them. A frame by itself
// earns nothing where a small window made it small.
constexpr int64_t kFrameEarns = 4;
constexpr int64_t kEarnPerBytes = 1024;
// A string that is sent from its front is moved together only now and then.
constexpr size_t kMoveFrom = 32 * 1024;
// Memory that a connection at work keeps from turn to turn.
constexpr size_t kKeptOut = 16 * 1024;

}  // namespace

size_t Http2Sender::send_head(Http2Outgoing& stream, std::span<const Field> fields,
                              bool end_stream) {
  size_t at = out_.size();
  out_.resize(at + kHttp2FrameHeader);
  encoder_.encode(fields, out_);
  frame_header_block(out_, at, stream.id, end_stream);
  stream.end_due |= end_stream;
  stream.end_sent |= end_stream;
  return out_.size() - at;
}

void Http2Sender::send_body(Http2Outgoing& stream, const BodyPart& part) {
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
      waiting_.push_back(stream);
      stream.stalled_since_ms = loop_.now_ms();
      owner_.on_stalled();
    }
    stream.pending.append(part.bytes.substr(sent));
  } else if (stream.pending.empty() && stream.end_due && !stream.end_sent) {
    emit_end(stream);
  }
}

// As much as windows and socket take now; returns how much that was.
size_t Http2Sender::emit(Http2Outgoing& stream, std::string_view bytes, bool is_last) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    if (is_congested() && (stalled_since_ms_ != 0 || !flush())) break;
    int64_t window = std::min(stream.window, window_);
    if (window <= 0) break;
    size_t size = std::min(bytes.size() - sent, kHttp2MaxFrame);
    size = static_cast<size_t>(std::min(window, static_cast<int64_t>(size)));
    bool ends = is_last && !stream.trailers && sent + size == bytes.size();
    uint8_t flags = ends ? Http2Flag::kEndStream : uint8_t{0};
    append_frame_header(out_, {static_cast<uint32_t>(size), Http2Type::data, flags, stream.id});
    out_.append(bytes.substr(sent, size));
    stream.end_sent |= ends;
    stream.window -= static_cast<int64_t>(size);
    window_ -= static_cast<int64_t>(size);
    bool is_cut = static_cast<int64_t>(size) == window;
    earned_ += (is_cut ? 0 : kFrameEarns) + static_cast<int64_t>(size) / kEarnPerBytes;
    sent += size;
  }
  return sent;
}

void Http2Sender::emit_end(Http2Outgoing& stream) {
  stream.end_sent = true;
  if (stream.trailers) {
    send_head(stream, stream.trailers->head.fields, true);
  } else {
    append_frame_header(out_, {0, Http2Type::data, Http2Flag::kEndStream, stream.id});
  }
}

// A frame of each stream in turn, as long as there is room. Whether any went.
bool Http2Sender::pump() {
  bool any = false;
  size_t idle = 0;  // streams in a row that could send nothing
  while (idle < waiting_.size() && window_ > 0) {
    if (is_congested() && stalled_since_ms_ != 0) break;
    Http2Outgoing& stream = waiting_.front();
    waiting_.remove(stream);
    std::string_view rest = std::string_view(stream.pending).substr(stream.pending_at);
    std::string_view piece = rest.substr(0, kHttp2MaxFrame);
    size_t sent = emit(stream, piece, stream.end_due && piece.size() == rest.size());
    if (sent == rest.size()) {
      std::string().swap(stream.pending);
      stream.pending_at = 0;
      stream.stalled_since_ms = 0;
      if (stream.end_due && !stream.end_sent) emit_end(stream);
      owner_.on_sent(stream);
    } else {
      waiting_.push_back(stream);
      stream.pending_at += sent;
      if (stream.pending_at >= kMoveFrom) {
        stream.pending.erase(0, std::exchange(stream.pending_at, 0));
      }
      if (sent > 0) stream.stalled_since_ms = loop_.now_ms();
    }
    idle = sent > 0 ? 0 : idle + 1;
    any |= sent > 0;
  }
  return any;
}

void Http2Sender::drop(Http2Outgoing& stream) {
  if (stream.pending.empty()) return;
  waiting_.remove(stream);
  std::string().swap(stream.pending);
  stream.pending_at = 0;
  stream.stalled_since_ms = 0;
}

bool Http2Sender::flush() {
  while (!empty() && !failed_) {
    if (held_) return false;
    Transfer sent = stream_.write(std::string_view(out_).substr(out_at_));
    if (sent.outcome == Transfer::Outcome::failed) {
      failed_ = true;
      break;
    }
    if (sent.outcome != Transfer::Outcome::done) {
      if (sent.outcome != Transfer::Outcome::wants_read) writable_.arm();
      if (stalled_since_ms_ == 0) {
        stalled_since_ms_ = loop_.now_ms();
        owner_.on_stalled();
      }
      return false;
    }
    if (stalled_since_ms_ != 0) stalled_since_ms_ = loop_.now_ms();
    written_ += sent.bytes;
    out_at_ += sent.bytes;
    if (out_at_ >= kMostReady) out_.erase(0, std::exchange(out_at_, 0));
  }
  if (failed_) return false;
  out_.clear();
  out_at_ = 0;
  if (out_.capacity() > kKeptOut) out_.shrink_to_fit();
  stalled_since_ms_ = 0;
  writable_.disarm();
  return true;
}

void Http2Sender::release() {
  if (out_.empty()) out_.shrink_to_fit();
}

bool Http2Sender::set_first_window(uint32_t size, int64_t& grown) {
  if (size > kHttp2MaxWindow) return false;
  grown = size - std::exchange(first_window_, size);
  return true;
}

bool Http2Sender::grow(uint32_t increment) {
  window_ += increment;
  return window_ <= kHttp2MaxWindow;
}

bool Http2Sender::grow(Http2Outgoing& stream, int64_t increment) {
  stream.window += increment;
  return stream.window <= kHttp2MaxWindow;
}

size_t Http2Sender::room(const Http2Outgoing& stream) const {
  int64_t window = std::min(stream.window, window_);
  if (is_blocked(stream) || window <= 0) return 0;
  return static_cast<size_t>(window);
}

}  // namespace lb
