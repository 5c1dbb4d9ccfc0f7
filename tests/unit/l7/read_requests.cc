// SPDX-License-Identifier: MIT
#include "read_requests.h"

#include <algorithm>

#include "l7/chunk_decoder.h"
#include "l7/http1_parser.h"
#include "l7/http1_writer.h"

namespace lb {

namespace {

// One connection's requests, taken from a buffer that grows piece by piece.
class Reader {
 public:
  explicit Reader(std::string* forwarded) : forwarded_(forwarded) {}

  // False after a refusal.
  bool take(std::string_view piece) {
    buffer_ += piece;
    while (true) {
      if (!in_body_) {
        Parse parsed = parser_.parse(buffer_, {}, head_);
        if (parsed == Parse::refused) return refuse(parser_.refusal().status);
        if (parsed == Parse::incomplete) return true;
        begin_body();
      }
      if (!take_body()) return false;
      if (in_body_) return true;
    }
  }

  std::string seen() const {
    bool whole = (buffer_.empty() && !in_body_) || refused_;
    return whole ? seen_ : seen_ + "...";
  }

 private:
  bool refuse(int status) {
    seen_ += std::to_string(status);
    refused_ = true;
    return false;
  }

  void begin_body() {
    if (head_.authority.empty()) head_.authority = "-";
    line_ = std::string(head_.method_name) + " " + std::string(head_.authority) + " " +
            std::string(head_.path) + std::string(head_.query) + "|";
    wire_.clear();
    write_request(head_, false, wire_);
    left_ = head_.length;
    kind_ = head_.body;
    decoder_ = ChunkDecoder();
    buffer_.erase(0, parser_.size());
    parser_.reset();
    in_body_ = true;
  }

  bool take_body() {
    if (kind_ == BodyKind::streamed) {
      auto step = decoder_.decode(buffer_.data(), buffer_.size());
      add(std::string_view(buffer_).substr(0, step.body));
      buffer_.erase(0, step.taken);
      if (step.state == ChunkDecoder::State::refused) return refuse(400);
      if (step.state == ChunkDecoder::State::more) return true;
      write_last_chunk(decoder_.trailers(), wire_);
    } else {
      auto part = static_cast<size_t>(std::min<uint64_t>(left_, buffer_.size()));
      add(std::string_view(buffer_).substr(0, part));
      buffer_.erase(0, part);
      left_ -= part;
      if (left_ > 0) return true;
    }
    seen_ += line_ + "\n";
    if (forwarded_ != nullptr) *forwarded_ += wire_;
    in_body_ = false;
    return true;
  }

  void add(std::string_view body) {
    if (body.empty()) return;
    line_ += body;
    if (kind_ == BodyKind::streamed) write_chunk_start(body.size(), wire_);
    wire_ += body;
    if (kind_ == BodyKind::streamed) wire_ += "\r\n";
  }

  std::string* forwarded_;
  std::string buffer_;
  std::string seen_;
  std::string line_;
  std::string wire_;
  RequestParser parser_;
  RequestHead head_;
  ChunkDecoder decoder_;
  BodyKind kind_ = BodyKind::none;
  uint64_t left_ = 0;
  bool in_body_ = false;
  bool refused_ = false;
};

}  // namespace

std::string read_requests(std::string_view bytes, size_t piece, std::string* forwarded) {
  Reader reader(forwarded);
  for (size_t i = 0; i < bytes.size(); i += piece) {
    if (!reader.take(bytes.substr(i, piece))) break;
  }
  return reader.seen();
}

}  // namespace lb
