// SPDX-License-Identifier: MIT
#include "health/http_response.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "pool/load_report.h"

namespace lb {

namespace {

constexpr size_t kMaxFraming = 64 * 1024;

std::string_view trim(std::string_view text) {
  size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

bool is_same_word(std::string_view word, std::string_view lower) {
  return std::equal(word.begin(), word.end(), lower.begin(), lower.end(), [](char c, char l) {
    return (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) == l;
  });
}

template <int Base>
std::optional<uint64_t> whole_number(std::string_view digits) {
  uint64_t value = 0;
  auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value, Base);
  bool whole = parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size();
  if (!whole) return std::nullopt;
  return value;
}

}  // namespace

HttpResponse::State HttpResponse::refuse(const char* why) {
  why_ = why;
  return state_ = State::refused;
}

HttpResponse::State HttpResponse::add(std::string_view bytes) {
  if (state_ != State::more) return state_;
  input_.append(bytes);
  if (!has_head_) state_ = read_head();
  if (has_head_ && state_ == State::more) state_ = read_body();
  input_.erase(0, at_);
  at_ = 0;
  return state_;
}

HttpResponse::State HttpResponse::end() {
  if (state_ != State::more) return state_;
  if (!has_head_) {
    bool nothing = framing_ == 0 && input_.empty();
    return refuse(nothing ? "closed without an answer" : "closed in the middle of the head");
  }
  if (kind_ == Body::until_end) return state_ = State::done;
  return refuse("closed in the middle of the body");
}

// Without its end; nothing where it has not come whole.
std::optional<std::string_view> HttpResponse::take_line() {
  size_t end = input_.find('\n', at_);
  if (end == std::string::npos) return std::nullopt;
  auto line = std::string_view(input_).substr(at_, end - at_);
  framing_ += end + 1 - at_;
  at_ = end + 1;
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

HttpResponse::State HttpResponse::read_head() {
  while (!has_head_) {
    auto line = take_line();
    if (framing_ + (line ? 0 : unread()) > kMaxHead) return refuse("a head of more than 32 KiB");
    if (!line) return State::more;
    if (!read_line(*line)) return State::refused;
  }
  framing_ = 0;
  return State::more;
}

bool HttpResponse::read_line(std::string_view line) {
  if (status_ == 0) return read_status_line(line);
  if (!line.empty()) return read_field(line);
  if (status_ < 200) {  // an interim answer: the real one follows
    if (status_ == 101) return refuse("switched to another protocol"), false;
    status_ = 0;
    return true;
  }
  has_head_ = true;
  if (to_head_ || status_ == 204 || status_ == 304) kind_ = Body::none;
  return true;
}

bool HttpResponse::read_status_line(std::string_view line) {
  bool is_http = line.size() >= 12 && line.starts_with("HTTP/1.") &&
                 (line[7] == '0' || line[7] == '1') && line[8] == ' ' &&
                 (line.size() == 12 || line[12] == ' ');
  auto status = is_http ? whole_number<10>(line.substr(9, 3)) : std::nullopt;
  if (!status || *status < 100 || *status > 599) return refuse("no HTTP answer"), false;
  status_ = static_cast<int>(*status);
  kind_ = Body::until_end;
  has_length_ = false;
  load_.clear();
  return true;
}

bool HttpResponse::read_field(std::string_view line) {
  size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return refuse("a broken header line"), false;
  std::string_view name = line.substr(0, colon);
  std::string_view value = trim(line.substr(colon + 1));
  if (is_same_word(name, "content-length")) return read_length(value);
  if (is_same_word(name, "transfer-encoding")) {
    if (!is_same_word(value, "chunked")) return refuse("an unknown transfer coding"), false;
    if (has_length_) return refuse("two lengths of one body"), false;
    kind_ = Body::chunked;
  } else if (is_same_word(name, kLoadHeader)) {
    load_ = value;
  }
  return true;
}

bool HttpResponse::read_length(std::string_view value) {
  auto length = whole_number<10>(value);
  if (!length) return refuse("a broken content-length"), false;
  bool agrees = kind_ != Body::chunked && (!has_length_ || left_ == *length);
  if (!agrees) return refuse("two lengths of one body"), false;
  kind_ = Body::length;
  has_length_ = true;
  left_ = *length;
  return true;
}

HttpResponse::State HttpResponse::read_body() {
  switch (kind_) {
    case Body::none:
      return State::done;
    case Body::length:
      return take_body(left_) == State::more && left_ > 0 ? State::more : State::done;
    case Body::until_end:
      return take_body(UINT64_MAX);
    case Body::chunked:
      return read_chunks();
  }
  return State::refused;
}

// Moves at most that many bytes; `done` when no more is of interest.
HttpResponse::State HttpResponse::take_body(uint64_t most) {
  size_t size = std::min<uint64_t>(most, unread());
  body_.append(input_, at_, std::min(size, kMaxBody - body_.size()));
  at_ += size;
  left_ -= std::min<uint64_t>(left_, size);
  return body_.size() == kMaxBody ? State::done : State::more;
}

HttpResponse::State HttpResponse::read_chunks() {
  while (unread() > 0) {
    if (chunk_ == Chunk::data) {
      if (take_body(left_) == State::done) return State::done;
      if (left_ > 0) return State::more;
      chunk_ = Chunk::data_end;
      continue;
    }
    auto line = take_line();
    if (framing_ + (line ? 0 : unread()) > kMaxFraming) return refuse("more framing than body");
    if (!line) return State::more;
    if (chunk_ == Chunk::size) {
      if (!read_chunk_size(*line)) return refuse("a broken chunk");
    } else if (chunk_ == Chunk::data_end) {
      if (!line->empty()) return refuse("a broken chunk");
      chunk_ = Chunk::size;
    } else if (line->empty()) {
      return State::done;
    }
  }
  return State::more;
}

bool HttpResponse::read_chunk_size(std::string_view line) {
  auto size = whole_number<16>(trim(line.substr(0, line.find(';'))));
  if (!size) return false;
  left_ = *size;
  chunk_ = left_ == 0 ? Chunk::trailers : Chunk::data;
  return true;
}

}  // namespace lb
