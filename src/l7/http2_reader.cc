// SPDX-License-Identifier: MIT
#include "l7/http2_reader.h"

#include <algorithm>

namespace lb {

namespace {

// A head of usual size has none, one of the largest size a few; beyond that somebody sends them for
// their own sake.
constexpr uint32_t kMostContinuations = 16;
constexpr size_t kUsualContinuation = 1024;

constexpr uint32_t kPriorityLength = 5;

Http2Fault protocol_error(const char* why) {
  return {Http2Error::protocol_error, why};
}

Http2Fault frame_size_error(const char* why) {
  return {Http2Error::frame_size_error, why};
}

// Of DATA the length of padding is a part of the frame, too.
bool is_passed_by(Http2Type type) {
  return type == Http2Type::data || type > Http2Type::continuation;
}

bool depends_on_itself(std::string_view priority, uint32_t stream) {
  return (read_uint32(priority.data()) & kHttp2MaxStream) == stream;
}

}  // namespace

size_t Http2Reader::read(std::string_view bytes, Http2Fault& fault) {
  size_t all = bytes.size();
  stopped_ = false;
  if (!preface_.empty()) bytes.remove_prefix(take_preface(bytes, fault));
  while (!bytes.empty() && !fault && !stopped_) bytes.remove_prefix(take_some(bytes, fault));
  return all - bytes.size();
}

size_t Http2Reader::take_preface(std::string_view bytes, Http2Fault& fault) {
  size_t size = std::min(bytes.size(), preface_.size());
  if (bytes.substr(0, size) != preface_.substr(0, size)) {
    fault = protocol_error("no preface");
    return 0;
  }
  preface_.remove_prefix(size);
  return size;
}

size_t Http2Reader::take_some(std::string_view bytes, Http2Fault& fault) {
  if (passes_) return take_body(bytes, fault);
  if (!partial_.empty() || bytes.size() < kHttp2FrameHeader) return gather(bytes, fault);
  header_ = read_frame_header(bytes.data());
  fault = check_header();
  if (fault) return 0;
  if (is_passed_by(header_.type)) {
    begin_body(fault);
    return kHttp2FrameHeader;
  }
  size_t size = kHttp2FrameHeader + header_.length;
  if (bytes.size() < size) {
    is_head_ = header_.type == Http2Type::headers;
    partial_.assign(bytes);
    return bytes.size();
  }
  fault = take_frame(bytes.substr(kHttp2FrameHeader, header_.length));
  return size;
}

// Of a frame that comes in pieces.
size_t Http2Reader::gather(std::string_view bytes, Http2Fault& fault) {
  size_t had = partial_.size();
  bool has_header = had >= kHttp2FrameHeader;
  size_t want = kHttp2FrameHeader + (has_header ? header_.length : 0);
  size_t size = std::min(bytes.size(), want - had);
  partial_.append(bytes.substr(0, size));
  if (partial_.size() < want) return size;
  if (!has_header) {
    header_ = read_frame_header(partial_.data());
    fault = check_header();
    if (fault) return size;
    is_head_ = header_.type == Http2Type::headers;
    if (is_passed_by(header_.type)) {
      std::string().swap(partial_);
      begin_body(fault);
      return size;
    }
    if (header_.length > 0) return size;
  }
  std::string whole;
  whole.swap(partial_);
  is_head_ = false;
  fault = take_frame(std::string_view(whole).substr(kHttp2FrameHeader));
  return size;
}

void Http2Reader::begin_body(Http2Fault& fault) {
  left_ = header_.length;
  padding_ = 0;
  bool is_data = header_.type == Http2Type::data;
  wants_pad_ = is_data && header_.has(Http2Flag::kPadded);
  passes_ = left_ > 0;
  fault = is_data ? frames_.on_data_frame(header_.stream, left_) : frames_.on_unknown_frame();
  if (fault || passes_ || !is_data) return;
  fault = frames_.on_data(header_.stream, {}, 0, header_.has(Http2Flag::kEndStream));
}

size_t Http2Reader::take_body(std::string_view bytes, Http2Fault& fault) {
  size_t taken = 0;
  size_t padding = 0;
  if (wants_pad_) {
    wants_pad_ = false;
    padding_ = static_cast<uint8_t>(bytes.front());
    --left_;
    taken = padding = 1;
    if (padding_ > left_) {
      fault = protocol_error("more padding than DATA");
      return taken;
    }
  }
  std::string_view piece = bytes.substr(taken, left_);
  size_t size = piece.size();
  left_ -= static_cast<uint32_t>(size);
  passes_ = left_ > 0;
  size_t content = size + left_ > padding_ ? std::min<size_t>(size, size + left_ - padding_) : 0;
  padding += size - content;
  taken += size;
  if (header_.type != Http2Type::data) return taken;
  bool is_last = !passes_ && header_.has(Http2Flag::kEndStream);
  fault = frames_.on_data(header_.stream, piece.substr(0, content), padding, is_last);
  return taken;
}

// What the header alone tells.
Http2Fault Http2Reader::check_header() const {
  if (header_.length > kHttp2MaxFrame) return frame_size_error("a frame that is too large");
  bool continues = header_.type == Http2Type::continuation;
  if (block_header_.stream != 0 && (!continues || header_.stream != block_header_.stream)) {
    return protocol_error("a header block is interrupted");
  }
  if (continues && block_header_.stream == 0) {
    return protocol_error("CONTINUATION of no header block");
  }
  bool is_settings = header_.type == Http2Type::settings && !header_.has(Http2Flag::kAck);
  if (!seen_settings_ && !is_settings) return protocol_error("no SETTINGS at first");
  switch (header_.type) {
    case Http2Type::data:
    case Http2Type::headers:
    case Http2Type::priority:
    case Http2Type::rst_stream:
      if (header_.stream == 0) return protocol_error("a frame that needs a stream has none");
      break;
    case Http2Type::settings:
    case Http2Type::ping:
    case Http2Type::goaway:
      if (header_.stream != 0) return protocol_error("a stream where there must be none");
      break;
    case Http2Type::push_promise:
      return protocol_error("PUSH_PROMISE");
    default:
      break;
  }
  return check_length();
}

Http2Fault Http2Reader::check_length() const {
  bool fits = true;
  uint32_t length = header_.length;
  switch (header_.type) {
    case Http2Type::data:
      fits = length > 0 || !header_.has(Http2Flag::kPadded);
      break;
    case Http2Type::headers:
      fits = length >= (header_.has(Http2Flag::kPadded) ? 1u : 0u) +
                           (header_.has(Http2Flag::kPriority) ? kPriorityLength : 0u);
      break;
    case Http2Type::priority:
      fits = length == kPriorityLength;
      break;
    case Http2Type::rst_stream:
    case Http2Type::window_update:
      fits = length == 4;
      break;
    case Http2Type::settings:
      fits = header_.has(Http2Flag::kAck) ? length == 0 : length % 6 == 0;
      break;
    case Http2Type::ping:
      fits = length == 8;
      break;
    case Http2Type::goaway:
      fits = length >= 8;
      break;
    default:
      break;
  }
  return fits ? Http2Fault() : frame_size_error("a frame of a length that it cannot have");
}

Http2Fault Http2Reader::take_frame(std::string_view payload) {
  switch (header_.type) {
    case Http2Type::headers:
      return take_headers(payload);
    case Http2Type::continuation: {
      uint32_t most = kMostContinuations + static_cast<uint32_t>(most_block_ / kUsualContinuation);
      if (++continuations_ > most) {
        return {Http2Error::enhance_your_calm, "too many CONTINUATION frames"};
      }
      return take_fragment(payload);
    }
    case Http2Type::priority:
      return frames_.on_priority(header_.stream, depends_on_itself(payload, header_.stream));
    case Http2Type::rst_stream:
      return frames_.on_reset(header_.stream, Http2Error{read_uint32(payload.data())});
    case Http2Type::settings:
      return take_settings(payload);
    case Http2Type::ping:
      return frames_.on_ping(payload, header_.has(Http2Flag::kAck));
    case Http2Type::goaway:
      return frames_.on_goaway(read_uint32(payload.data()) & kHttp2MaxStream,
                               Http2Error{read_uint32(payload.data() + 4)});
    case Http2Type::window_update:
      return frames_.on_window_update(header_.stream,
                                      read_uint32(payload.data()) & kHttp2MaxStream);
    default:
      return {};
  }
}

Http2Fault Http2Reader::take_headers(std::string_view payload) {
  if (header_.has(Http2Flag::kPadded)) {
    size_t padding = static_cast<uint8_t>(payload.front());
    payload.remove_prefix(1);
    if (padding > payload.size()) return protocol_error("more padding than HEADERS");
    payload.remove_suffix(padding);
  }
  on_itself_ = false;
  if (header_.has(Http2Flag::kPriority)) {
    if (payload.size() < kPriorityLength) return protocol_error("padding over a priority");
    on_itself_ = depends_on_itself(payload, header_.stream);
    payload.remove_prefix(kPriorityLength);
  }
  block_header_ = header_;
  continuations_ = 0;
  return take_fragment(payload);
}

Http2Fault Http2Reader::take_fragment(std::string_view fragment) {
  if (block_.size() + fragment.size() > most_block_) {
    return {Http2Error::enhance_your_calm, "a header block that is too large"};
  }
  if (!header_.has(Http2Flag::kEndHeaders)) {
    block_.append(fragment);
    return {};
  }
  std::string before;
  before.swap(block_);
  if (!before.empty()) fragment = before.append(fragment);
  Http2Block block{block_header_.stream, fragment, block_header_.has(Http2Flag::kEndStream),
                   on_itself_};
  block_header_ = {};
  return frames_.on_headers(block);
}

Http2Fault Http2Reader::take_settings(std::string_view payload) {
  seen_settings_ = true;
  if (header_.has(Http2Flag::kAck)) return frames_.on_settings_ack();
  for (; !payload.empty(); payload.remove_prefix(6)) {
    auto id = static_cast<uint16_t>(read_uint32(payload.data()) >> 16);
    Http2Fault fault =
        frames_.on_setting(static_cast<Http2Setting>(id), read_uint32(payload.data() + 2));
    if (fault) return fault;
  }
  return frames_.on_settings_end();
}

}  // namespace lb
