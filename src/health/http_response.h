// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lb {

// Reads the answer to one HTTP/1 request of a check (RFC 9112), piece by piece: the last head, and
// what fits of the body. Takes what real servers send (bare LF, missing reasons, bodies that end
// with the connection), but no length that could mean two things. Pure.
class HttpResponse {
 public:
  static constexpr size_t kMaxHead = 32 * 1024;
  static constexpr size_t kMaxBody = 64 * 1024;  // what follows is not waited for

  enum class State { more, done, refused };

  // The answer to HEAD has no body whatever its head says.
  explicit HttpResponse(bool to_head) : to_head_(to_head) {}

  // After `done` and `refused` further bytes are of no interest.
  State add(std::string_view bytes);
  // The connection has ended.
  State end();

  // Of a complete head; the rest once done.
  bool has_head() const { return has_head_; }
  int status() const { return status_; }
  const std::string& load() const { return load_; }  // the header kLoadHeader
  const std::string& body() const { return body_; }
  const char* why() const { return why_; }  // it was refused

 private:
  enum class Body { none, length, chunked, until_end };
  enum class Chunk { size, data, data_end, trailers };

  std::optional<std::string_view> take_line();
  size_t unread() const { return input_.size() - at_; }
  State read_head();
  bool read_line(std::string_view line);
  bool read_status_line(std::string_view line);
  bool read_field(std::string_view line);
  bool read_length(std::string_view value);
  State read_body();
  State read_chunks();
  bool read_chunk_size(std::string_view line);
  State take_body(uint64_t most);
  State refuse(const char* why);

  const bool to_head_;
  std::string input_;
  size_t at_ = 0;       // of input_, what is read
  size_t framing_ = 0;  // bytes of heads, then of what is around chunks
  bool has_head_ = false;
  State state_ = State::more;
  int status_ = 0;
  Body kind_ = Body::until_end;
  bool has_length_ = false;
  uint64_t left_ = 0;  // of the body or the chunk
  Chunk chunk_ = Chunk::size;
  std::string load_;
  std::string body_;
  const char* why_ = "";
};

}  // namespace lb
