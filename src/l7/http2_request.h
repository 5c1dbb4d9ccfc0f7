// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "l7/http1_parser.h"
#include "l7/http_message.h"

namespace lb {

// What a request's header block came to.
enum class Http2Verdict : uint8_t {
  good,
  refused,    // HTTP, but not for us: the client gets a status
  malformed,  // no HTTP: its stream is reset (RFC 9113, 8.1.1)
};

// Makes a request of the fields of a header block, as strictly as HTTP/1 is read (http1_parser.h):
// what would mean something else, or something more, in the lines of HTTP/1 is malformed here. So
// are fields that belong to one connection. Cookies in several fields become one again, and an
// extended CONNECT for a WebSocket (RFC 8441) the GET that it would be in HTTP/1.
//
// What goes beyond the limits is counted and not kept. Reads one block; one thread.
class Http2RequestReader {
 public:
  // The head is made in `kept`.
  Http2RequestReader(KeptRequest& kept, const HeadLimits& limits) : kept_(kept), limits_(limits) {
    kept_.clear();
  }

  void add(std::string_view name, std::string_view value);
  // After the last field. `end_stream`: no body follows.
  Http2Verdict finish(bool end_stream);
  // Why it is not good; status 0 where it is malformed.
  const HttpRefusal& refusal() const { return refusal_; }
  // Of all its fields, as SETTINGS_MAX_HEADER_LIST_SIZE counts them.
  size_t size() const { return size_; }

 private:
  void add_pseudo(std::string_view name, std::string_view value);
  void add_field(std::string_view name, std::string_view value);
  bool set(std::string_view& what, std::string_view value);
  void join_cookies();
  void check_connect();
  void check_target();
  void check_authority();
  void check_body(bool end_stream);
  void refuse(int status, const char* why) {
    if (!is_refused()) refusal_ = {status, why};
  }
  void malformed(const char* why) {
    if (!is_malformed()) refusal_ = {0, why};
  }
  bool is_refused() const { return *refusal_.why != '\0'; }
  bool is_malformed() const { return is_refused() && refusal_.status == 0; }

  KeptRequest& kept_;
  const HeadLimits limits_;
  HttpRefusal refusal_;
  size_t size_ = 0;
  size_t count_ = 0;
  std::string_view target_;
  std::string_view scheme_;
  std::string_view protocol_;
  std::string_view host_;
  std::vector<std::string_view> cookies_;
  bool has_authority_ = false;
  bool has_host_ = false;
  bool has_length_ = false;
  bool seen_field_ = false;  // no pseudo-header may follow
};

// Reads a block behind a body. What must not stand in trailers is left out.
class Http2TrailerReader {
 public:
  void add(std::string_view name, std::string_view value);
  // Why they are malformed, or null.
  const char* why() const { return why_; }
  // In the memory of this.
  const Trailers& trailers() const { return kept_.head.fields; }

 private:
  KeptRequest kept_;
  const char* why_ = nullptr;
  size_t size_ = 0;
  size_t count_ = 0;
};

// Why a field is malformed, whatever it says; or null.
const char* check_http2_field(std::string_view name, std::string_view value);
// Whether it belongs to one connection of HTTP/1 (RFC 9113, 8.2.2).
bool is_of_connection(FieldId id);

}  // namespace lb
