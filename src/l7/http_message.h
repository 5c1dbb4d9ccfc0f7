// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lb {

// HTTP messages as what they mean (RFC 9110), whatever they look like on the wire: a codec makes
// them of bytes and bytes of them. What belongs to one connection only (Connection and what it
// names, Keep-Alive, Transfer-Encoding, Upgrade, TE) never stands among the fields, nor do Host and
// Content-Length, which have members of their own. Views into somebody else's bytes; any thread.

enum class Method : uint8_t {
  get,
  head,
  post,
  put,
  delete_,
  options,
  trace,
  patch,
  connect,
  other
};

// Methods are case-sensitive.
Method method_of(std::string_view name);
// Repeating it does no harm (RFC 9110, 9.2.2).
bool is_idempotent(Method method);

// The fields that this program itself looks at.
enum class FieldId : uint8_t {
  other,
  accept,
  authorization,
  connection,
  content_length,
  cookie,
  date,
  endpoint_load,
  expect,
  forwarded,
  host,
  http2_settings,
  keep_alive,
  proxy_connection,
  referer,
  server,
  set_cookie,
  te,
  traceparent,
  tracestate,
  trailer,
  transfer_encoding,
  upgrade,
  user_agent,
  via,
  x_forwarded_for,
  x_forwarded_host,
  x_forwarded_other,  // -Port, -Prefix, -Server, X-Real-IP
  x_forwarded_proto,
  x_request_id,
};

struct Field {
  std::string_view name;
  std::string_view value;
  FieldId id = FieldId::other;
};

// `name` is a valid field name.
FieldId field_id(std::string_view name);

// ASCII without case.
bool equal_nocase(std::string_view a, std::string_view b);

// How the end of a body is told.
enum class BodyKind : uint8_t {
  none,
  length,       // so many bytes
  streamed,     // the codec tells the end (chunks, END_STREAM)
  until_close,  // responses: the connection's end is the body's
};

struct RequestHead {
  Method method = Method::other;
  std::string_view method_name;
  std::string_view authority;  // host and port of the target; may be empty in HTTP/1.0
  std::string_view path;       // "/..." or "*", as written
  std::string_view query;      // with its '?'; empty = none
  std::vector<Field> fields;
  BodyKind body = BodyKind::none;
  uint64_t length = 0;       // of the body, if its kind is length
  std::string_view upgrade;  // the protocols that the client would rather speak
  uint8_t major = 1;
  uint8_t minor = 1;
  bool is_last = false;  // the connection ends after this exchange
  bool expects_continue = false;
  bool takes_trailers = false;

  void clear();
  const Field* find(FieldId id) const;
};

struct ResponseHead {
  int status = 0;
  std::string_view reason;
  std::vector<Field> fields;
  BodyKind body = BodyKind::none;
  // Of the body; may be there without one (HEAD, 304).
  std::optional<uint64_t> length;
  std::string_view upgrade;  // of a 101: what is spoken from here on; of a 426: what should be
  bool is_last = false;      // the connection ends after this exchange

  void clear();
  const Field* find(FieldId id) const;
};

using Trailers = std::vector<Field>;

// A request's head that owns its bytes: they must outlast the buffer that they came in, for as long
// as the request may have to be sent once more.
class KeptRequest {
 public:
  RequestHead head;

  // Copies `text` and returns the copy, which lives as long as this.
  std::string_view keep(std::string_view text);
  // Room for so many bytes, to be written at once; lives as long.
  char* allocate(size_t size);
  // Copies everything that `from` points to.
  void assign(const RequestHead& from);
  // Empty again, for the next request; keeps the memory that a usual one needs.
  void clear();

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    size_t size = 0;
    size_t used = 0;
  };
  std::vector<Block> blocks_;
};

// The value of a Content-Length, if it is one.
bool parse_length(std::string_view text, uint64_t& length);

// Why a message is refused: what the client is told and what the log says.
struct HttpRefusal {
  int status = 0;
  const char* why = "";
};

}  // namespace lb
