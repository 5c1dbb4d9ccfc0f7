// SPDX-License-Identifier: MIT
// RFC 9113, 8.2 and 8.3: what a request's fields and pseudo-headers may not be.
#include "http2_rules.h"
#include "http2_wire.h"

namespace lb {

namespace {

const char* const kMalformed = "RST 1 PROTOCOL_ERROR";

std::string with(const std::string& name, const std::string& value) {
  return get(1, {{name, value}});
}

std::string of(const WireFields& fields) {
  return headers(fields);
}

// The usual request, one of whose pseudo-headers says something else.
std::string where(const std::string& name, const std::string& value) {
  WireFields fields = request_fields();
  for (auto& field : fields) {
    if (field.first == name) field.second = value;
  }
  return headers(fields);
}

std::string without(const std::string& name) {
  WireFields fields;
  for (const auto& field : request_fields()) {
    if (field.first != name) fields.push_back(field);
  }
  return headers(fields);
}

std::string twice(const std::string& name) {
  WireFields fields;
  for (const auto& field : request_fields()) {
    fields.push_back(field);
    if (field.first == name) fields.push_back(field);
  }
  return headers(fields);
}

}  // namespace

std::vector<Http2Rule> http2_rules_of_fields() {
  using std::string;
  return {
      // 8.2: names
      {"a usual field", with("x-a", "b"), "1:200"},
      {"a field that says nothing", with("x-a", ""), "1:200"},
      {"a capital letter in a name", with("X-a", "b"), kMalformed},
      {"a capital letter at a name's end", with("x-A", "b"), kMalformed},
      {"a name of no letters", with("", "b"), kMalformed},
      {"a blank in a name", with("x a", "b"), kMalformed},
      {"a blank before a name", with(" x", "b"), kMalformed},
      {"a blank behind a name", with("x ", "b"), kMalformed},
      {"a colon in a name", with("x:a", "b"), kMalformed},
      {"a colon behind a name", with("host:", "b"), kMalformed},
      {"CR in a name", with("x\ra", "b"), kMalformed},
      {"LF in a name", with("x\na", "b"), kMalformed},
      {"a whole line in a name", with("x: y\r\nhost", "b"), kMalformed},
      {"NUL in a name", with(string("x\0a", 3), "b"), kMalformed},
      {"a tab in a name", with("x\ta", "b"), kMalformed},
      {"DEL in a name", with("x\x7f", "b"), kMalformed},
      {"a letter beyond ASCII in a name", with("x\xc3\xa4", "b"), kMalformed},
      {"a quote in a name", with("x\"", "b"), kMalformed},
      {"a bracket in a name", with("x(", "b"), kMalformed},
      // 8.2: values
      {"CR in a value", with("x", "a\rb"), kMalformed},
      {"LF in a value", with("x", "a\nb"), kMalformed},
      {"a line's end in a value", with("x", "a\r\nhost: b"), kMalformed},
      {"another request in a value", with("x", "a\r\n\r\nGET /b HTTP/1.1\r\n"), kMalformed},
      {"NUL in a value", with("x", string("a\0b", 3)), kMalformed},
      {"another control character in a value", with("x", "a\x01"), kMalformed},
      {"DEL in a value", with("x", "a\x7f"), kMalformed},
      {"a blank before a value", with("x", " a"), kMalformed},
      {"a blank behind a value", with("x", "a "), kMalformed},
      {"a tab before a value", with("x", "\ta"), kMalformed},
      {"a tab behind a value", with("x", "a\t"), kMalformed},
      {"a blank for a value", with("x", " "), kMalformed},
      {"blanks within a value", with("x", "a \t b"), "1:200"},
      {"letters beyond ASCII in a value", with("x", "\xc3\xa4\xff"), "1:200"},
      // 8.2.2: fields of one connection
      {"Connection", with("connection", "x-a"), kMalformed},
      {"Connection: close", with("connection", "close"), kMalformed},
      {"Keep-Alive", with("keep-alive", "timeout=5"), kMalformed},
      {"Proxy-Connection", with("proxy-connection", "keep-alive"), kMalformed},
      {"Transfer-Encoding", with("transfer-encoding", "chunked"), kMalformed},
      {"Transfer-Encoding that changes nothing", with("transfer-encoding", "identity"), kMalformed},
      {"Upgrade", with("upgrade", "websocket"), kMalformed},
      {"TE: trailers", with("te", "trailers"), "1:200"},
      {"TE: Trailers", with("te", "Trailers"), "1:200"},
      {"TE: gzip", with("te", "gzip"), kMalformed},
      {"TE: trailers and more", with("te", "trailers, gzip"), kMalformed},
      // 8.1.1: lengths
      {"a length that is no number", with("content-length", "x"), kMalformed},
      {"a length below nothing", with("content-length", "-1"), kMalformed},
      {"a length with a sign", with("content-length", "+0"), kMalformed},
      {"a length that is empty", with("content-length", ""), kMalformed},
      {"a list of lengths", with("content-length", "0, 0"), kMalformed},
      {"two lengths", get(1, {{"content-length", "0"}, {"content-length", "0"}}), kMalformed},
      {"a length beyond numbers", with("content-length", "99999999999999999999"), kMalformed},
      // 8.3: pseudo-headers
      {"an unknown pseudo-header", with(":x", "y"), kMalformed},
      {"an unknown pseudo-header in its place",
       of({{":method", "GET"},
           {":x", "y"},
           {":scheme", "http"},
           {":path", "/"},
           {":authority", "a"}}),
       kMalformed},
      {"a pseudo-header of responses",
       of({{":method", "GET"},
           {":status", "200"},
           {":scheme", "http"},
           {":path", "/"},
           {":authority", "a"}}),
       kMalformed},
      {"a pseudo-header behind a field",
       of({{":method", "GET"},
           {":scheme", "http"},
           {":path", "/"},
           {"x", "y"},
           {":authority", "a"}}),
       kMalformed},
      {"a pseudo-header with a capital letter",
       of({{":Method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}}),
       kMalformed},
      {"no :method", without(":method"), kMalformed},
      {"no :scheme", without(":scheme"), kMalformed},
      {"no :path", without(":path"), kMalformed},
      {"no host at all", without(":authority"), kMalformed},
      {"no fields at all", of({}), kMalformed},
      {":method twice", twice(":method"), kMalformed},
      {":scheme twice", twice(":scheme"), kMalformed},
      {":path twice", twice(":path"), kMalformed},
      {":authority twice", twice(":authority"), kMalformed},
      {"an empty :method", where(":method", ""), kMalformed},
      {"an empty :scheme", where(":scheme", ""), kMalformed},
      {"an empty :path", where(":path", ""), kMalformed},
      {"an empty :authority", where(":authority", ""), kMalformed},
      {":protocol where nobody changes protocols",
       of({{":method", "CONNECT"},
           {":protocol", "websocket"},
           {":scheme", "http"},
           {":path", "/"},
           {":authority", "a"}}),
       "RST 1 CONNECT_ERROR"},
      {":protocol without CONNECT",
       of({{":method", "GET"},
           {":protocol", "websocket"},
           {":scheme", "http"},
           {":path", "/"},
           {":authority", "a"}}),
       kMalformed},
      {":protocol that nobody knows",
       of({{":method", "CONNECT"},
           {":protocol", "connect-udp"},
           {":scheme", "http"},
           {":path", "/"},
           {":authority", "a"}}),
       "1:400"},
      {":protocol without a path",
       of({{":method", "CONNECT"},
           {":protocol", "websocket"},
           {":scheme", "http"},
           {":authority", "a"}}),
       kMalformed},
      {":protocol without a scheme",
       of({{":method", "CONNECT"},
           {":protocol", "websocket"},
           {":path", "/"},
           {":authority", "a"}}),
       kMalformed},
      {":protocol twice",
       of({{":method", "CONNECT"},
           {":protocol", "websocket"},
           {":protocol", "websocket"},
           {":scheme", "http"},
           {":path", "/"},
           {":authority", "a"}}),
       kMalformed},
      {"pseudo-headers in any order",
       of({{":authority", "a"}, {":path", "/"}, {":scheme", "https"}, {":method", "GET"}}),
       "1:200"},
  };
}

std::vector<Http2Rule> http2_rules_of_targets() {
  using std::string;
  return {
      // 8.3.1: what becomes a request line
      {"a blank in the path", where(":path", "/a b"), kMalformed},
      {"another request line in the path", where(":path", "/ HTTP/1.1\r\nHost: b\r\n\r\nGET /"),
       kMalformed},
      {"a version in the path", where(":path", "/ HTTP/1.1"), kMalformed},
      {"CR in the path", where(":path", "/\r"), kMalformed},
      {"LF in the path", where(":path", "/\n"), kMalformed},
      {"NUL in the path", where(":path", string("/\0", 2)), kMalformed},
      {"a tab in the path", where(":path", "/\t"), kMalformed},
      {"DEL in the path", where(":path", "/\x7f"), kMalformed},
      {"a path without a slash", where(":path", "a"), kMalformed},
      {"a whole target as the path", where(":path", "http://b.example/"), kMalformed},
      {"a query alone", where(":path", "?a"), kMalformed},
      {"a star with GET", where(":path", "*"), kMalformed},
      {"a fragment in the path", where(":path", "/a#b"), "1:400"},
      {"letters beyond ASCII in the path", where(":path", "/\xc3\xa4"), "1:400"},
      {"a backslash in the path", where(":path", "/a\\b"), "1:400"},
      {"a path that climbs above the root", where(":path", "/../a"), "1:400"},
      {"a path with a query", where(":path", "/a?b=c"), "1:200"},
      {"a path of two slashes", where(":path", "//b.example/"), "1:200"},
      {"a blank in the method", where(":method", "GET /x"), kMalformed},
      {"LF in the method", where(":method", "GET\n"), kMalformed},
      {"a method of no token", where(":method", "GE(T"), kMalformed},
      {"a method that is too long", where(":method", string(33, 'A')), kMalformed},
      {"a blank in the host", where(":authority", "a b"), kMalformed},
      {"a line's end in the host", where(":authority", "a\r\nX: y"), kMalformed},
      {"a user in the host", where(":authority", "u@a.example"), kMalformed},
      {"a path in the host", where(":authority", "a/b"), kMalformed},
      {"a port that is none", where(":authority", "a:b"), kMalformed},
      {"a port that is too large", where(":authority", "a:65536"), kMalformed},
      {"a list of hosts", where(":authority", "a,b"), kMalformed},
      {"a bracket without its pair", where(":authority", "[::1"), kMalformed},
      {"an address for a host", where(":authority", "[::1]:80"), "1:200"},
      {"Host that says the same", with("host", "a.example"), "1:200"},
      {"Host that says the same in capitals", with("host", "A.EXAMPLE"), "1:200"},
      {"Host that says something else", with("host", "b.example"), kMalformed},
      {"Host with another port", with("host", "a.example:8080"), kMalformed},
      {"Host twice", get(1, {{"host", "a.example"}, {"host", "a.example"}}), kMalformed},
      {"Host alone",
       of({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "b.example"}}),
       "1:200"},
      {"Host beside an empty :authority",
       of({{":method", "GET"},
           {":scheme", "http"},
           {":path", "/"},
           {":authority", ""},
           {"host", "b.example"}}),
       "1:200"},
      {"an empty Host alone",
       of({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", ""}}), kMalformed},
      {"another scheme", where(":scheme", "ftp"), kMalformed},
      {"a scheme with a line's end", where(":scheme", "http\r\n"), kMalformed},
      {"a scheme in capitals", where(":scheme", "HTTPS"), "1:200"},
      {"CONNECT", of({{":method", "CONNECT"}, {":authority", "b.example:443"}}), "1:400"},
      {"CONNECT with a path", where(":method", "CONNECT"), kMalformed},
      // What HTTP/1 refuses by a status is refused by the same one
      {"a path that is too long", where(":path", "/" + string(9'000, 'a')), "1:414"},
      {"an expectation that nobody knows", with("expect", "tea"), "1:417"},
      {"a head that is large", get(1, {{"a", string(9'000, 'x')}, {"b", string(7'000, 'x')}}),
       "1:200"},
      {"more fields than anybody needs", get(1, WireFields(257, {"a", ""})), "1:431"},
  };
}

}  // namespace lb
