// SPDX-License-Identifier: MIT
#include "l7/chunk_decoder.h"

#include <algorithm>
#include <cstring>

#include "l7/http1_parser.h"

namespace lb {

namespace {

// Sizes of up to 2^60, which nobody reaches; more digits, leading zeros too, are refused.
constexpr uint8_t kMostDigits = 15;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

ChunkDecoder::Step ChunkDecoder::decode(char* bytes, size_t size) {
  size_t body = 0;
  size_t i = 0;
  while (i < size) {
    bool good = true;
    switch (at_) {
      case At::size:
        good = take_size(bytes[i++]);
        break;
      case At::extension:
        good = take_extension(bytes[i++]);
        break;
      case At::size_end:
        good = bytes[i++] == '\n' || refuse("a chunk size that does not end in CRLF");
        at_ = left_ > 0 ? At::data : At::trailers;
        break;
      case At::data: {
        auto part = static_cast<size_t>(std::min<uint64_t>(left_, size - i));
        if (body != i) std::memmove(bytes + body, bytes + i, part);
        body += part;
        i += part;
        left_ -= part;
        if (left_ == 0) at_ = At::data_cr;
        break;
      }
      case At::data_cr:
        good = bytes[i++] == '\r' || refuse("a chunk longer than its size");
        at_ = At::data_lf;
        break;
      case At::data_lf:
        good = bytes[i++] == '\n' || refuse("a chunk that does not end in CRLF");
        at_ = At::size;
        digits_ = 0;
        extension_ = 0;
        break;
      case At::trailers: {
        State state = take_trailer(bytes[i++]);
        if (state != State::more) return {state, i, body};
        break;
      }
    }
    if (!good) return {State::refused, i, body};
  }
  return {State::more, size, body};
}

bool ChunkDecoder::take_size(char c) {
  if (int digit = hex_digit(c); digit >= 0) {
    if (++digits_ > kMostDigits) return refuse("a chunk size that is too large");
    left_ = left_ * 16 + static_cast<uint64_t>(digit);
    return true;
  }
  if (digits_ == 0) return refuse("a chunk without a size");
  if (c == '\r') {
    at_ = At::size_end;
    return true;
  }
  at_ = At::extension;
  return c == ';' || refuse("a chunk size that is no number");
}

bool ChunkDecoder::take_extension(char c) {
  if (c == '\r') {
    at_ = At::size_end;
    return true;
  }
  if (++extension_ > kMaxExtension) return refuse("a chunk extension that is too long");
  return is_field_value({&c, 1}) || refuse("a control character in a chunk extension");
}

ChunkDecoder::State ChunkDecoder::take_trailer(char c) {
  // The usual end without any trailer keeps nothing.
  if (trailer_text_.empty() && line_ == 0 && c == '\r') {
    line_ = 1;
    return State::more;
  }
  if (trailer_text_.empty() && line_ == 1) {
    if (c == '\n') return State::done;
    why_ = "a bare CR behind the last chunk";
    return State::refused;
  }
  if (trailer_text_.size() == kMaxTrailers) {
    why_ = "trailers that are too large";
    return State::refused;
  }
  trailer_text_ += c;
  if (c != '\n') return State::more;
  std::string_view text = trailer_text_;
  if (text.size() < 2 || text[text.size() - 2] != '\r') {
    why_ = "a trailer that ends in a bare LF";
    return State::refused;
  }
  if (!text.ends_with("\r\n\r\n")) return State::more;
  if (const char* why = parse_trailers(text, trailers_)) {
    why_ = why;
    return State::refused;
  }
  return State::done;
}

}  // namespace lb
