// SPDX-License-Identifier: MIT
// Request lines, targets, hosts and the syntax of fields.
#include <vector>

#include "read_requests.h"

namespace lb {

namespace {

// A request whose first line is this.
std::string with_line(const std::string& line) {
  return line + "\r\nHost: a\r\n\r\n";
}

std::string with_target(const std::string& target) {
  return with_line("GET " + target + " HTTP/1.1");
}

// A request with this behind its Host.
std::string with(const std::string& fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

std::string with_host(const std::string& host) {
  return "GET / HTTP/1.1\r\nHost:" + host + "\r\n\r\n";
}

using namespace std::string_literals;

}  // namespace

std::vector<Smuggled> smuggled_lines() {
  const std::string plain = "GET a /|\n";
  return {
      // Lines and their ends.
      {"plain", with(""), plain},
      {"bare LF throughout", "GET / HTTP/1.1\nHost: a\n\n", "400"},
      {"bare LF behind the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", "400"},
      {"bare LF behind a field", "GET / HTTP/1.1\r\nHost: a\n\r\n", "400"},
      {"bare LF as the last line", "GET / HTTP/1.1\r\nHost: a\r\n\n", "400"},
      {"bare CR as a line's end", "GET / HTTP/1.1\rHost: a\r\n\r\n", "400"},
      {"bare CR in a field", with("X: a\rContent-Length: 5\r\n"), "400"},
      {"bare CR before CRLF", with("X: a\r\r\n"), "400"},
      {"LF CR", "GET / HTTP/1.1\n\rHost: a\n\r\n\r", "400"},
      {"bare LF hides a field", with("X: a\nContent-Length: 5\r\n"), "400"},
      {"two requests in bare LF", "GET / HTTP/1.1\nHost: a\n\nGET /b HTTP/1.1\nHost: a\n\n", "400"},
      {"one empty line before", "\r\n" + with(""), plain},
      {"two empty lines before", "\r\n\r\n" + with(""), "400"},
      {"bare LF before", "\n" + with(""), "400"},
      {"bare CR before", "\r" + with(""), "400"},
      {"space before", " " + with(""), "400"},
      {"tab before", "\t" + with(""), "400"},
      {"NUL before", "\0"s + with(""), "400"},
      {"a space as the first line", " \r\n" + with(""), "400"},
      // Request lines.
      {"HTTP/0.9", "GET /\r\n\r\n", "400"},
      {"no version", "GET / \r\nHost: a\r\n\r\n", "400"},
      {"lower-case version", with_line("GET / http/1.1"), "400"},
      {"HTTP/1.2", with_line("GET / HTTP/1.2"), "400"},
      {"HTTP/2.0", with_line("GET / HTTP/2.0"), "400"},
      {"HTTP/1.10", with_line("GET / HTTP/1.10"), "400"},
      {"HTTP/01.1", with_line("GET / HTTP/01.1"), "400"},
      {"HTTP/1", with_line("GET / HTTP/1"), "400"},
      {"HTTP/1.1 and a space", with_line("GET / HTTP/1.1 "), "400"},
      {"HTTP/1.1 and a tab", with_line("GET / HTTP/1.1\t"), "400"},
      {"another protocol", with_line("GET / HTTPS/1.1"), "400"},
      {"RTSP", with_line("GET / RTSP/1.0"), "400"},
      {"two spaces before the target", with_line("GET  / HTTP/1.1"), "400"},
      {"two spaces behind the target", with_line("GET /  HTTP/1.1"), "400"},
      {"tabs instead of spaces", with_line("GET\t/\tHTTP/1.1"), "400"},
      {"a vertical tab", with_line("GET\v/ HTTP/1.1"), "400"},
      {"a request line within a target", with_target("/ HTTP/1.1\tX"), "400"},
      {"a space in the target", with_target("/a b"), "400"},
      {"a second version in the target", with_target("/ HTTP/1.1"), "400"},
      {"lower-case method is another one", with_line("get / HTTP/1.1"), "get a /|\n"},
      {"an unknown method", with_line("BREW / HTTP/1.1"), "BREW a /|\n"},
      {"a colon in the method", with_line("GE:T / HTTP/1.1"), "400"},
      {"NUL in the method", with_line("G\0T / HTTP/1.1"s), "400"},
      {"no method", with_line(" / HTTP/1.1"), "400"},
      {"an endless method", with_line(std::string(33, 'A') + " / HTTP/1.1"), "400"},
      {"CONNECT", with_line("CONNECT a:443 HTTP/1.1"), "400"},
      {"CONNECT with a path", with_line("CONNECT / HTTP/1.1"), "400"},
      {"the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"},
      {"TLS", "\x16\x03\x01\x02\x00\x01"s, "400"},
      {"a field instead of a request line", "Host: a\r\n\r\n", "400"},
      {"a response", "HTTP/1.1 200 OK\r\n\r\n", "400"},
      // Targets.
      {"no leading slash", with_target("a"), "400"},
      {"an empty target", with_line("GET  HTTP/1.1"), "400"},
      {"* without OPTIONS", with_target("*"), "400"},
      {"OPTIONS *", with_line("OPTIONS * HTTP/1.1"), "OPTIONS a *|\n"},
      {"a query alone", with_target("?a"), "400"},
      {"a fragment", with_target("/a#b"), "400"},
      {"a fragment in the query", with_target("/a?b#c"), "400"},
      {"NUL in the target", with_target("/a\0b"s), "400"},
      {"a control character in the target", with_target("/a\x01"), "400"},
      {"DEL in the target", with_target("/a\x7f"), "400"},
      {"raw UTF-8 in the target", with_target("/\xc3\xa4"), "400"},
      {"a backslash in the path", with_target("/a\\..\\b"), "400"},
      {"a backslash in the query", with_target("/a?b\\c"), "GET a /a?b\\c|\n"},
      {"encoded CRLF stays encoded", with_target("/a%0d%0aX:b"), "GET a /a%0d%0aX:b|\n"},
      {"two slashes are no host", with_target("//evil/a"), "GET a //evil/a|\n"},
      {"an absolute target rules", with_target("http://b/x?y"), "GET b /x?y|\n"},
      {"an absolute target in capitals", with_target("HTTP://B/x"), "GET B /x|\n"},
      {"an absolute https target", with_target("https://b/"), "GET b /|\n"},
      {"an absolute target without path", with_target("http://b"), "GET b /|\n"},
      {"an absolute target with query only", with_target("http://b?q"), "GET b /?q|\n"},
      {"an absolute target with a port", with_target("http://b:81/"), "GET b:81 /|\n"},
      {"an absolute target with a user", with_target("http://b@c/"), "400"},
      {"an absolute target without host", with_target("http:///x"), "400"},
      {"an absolute target with a port alone", with_target("http://:80/"), "400"},
      {"an absolute target with a comma", with_target("http://a,b/"), "400"},
      {"another scheme", with_target("ftp://b/"), "400"},
      {"a script's scheme", with_target("javascript:alert(1)"), "400"},
      {"one slash behind the scheme", with_target("http:/b"), "400"},
      {"a host without scheme", with_target("b:80"), "400"},
      // Host.
      {"no Host", "GET / HTTP/1.1\r\n\r\n", "400"},
      {"no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "GET - /|\n"},
      {"two Hosts", with("Host: b\r\n"), "400"},
      {"the same Host twice", with("Host: a\r\n"), "400"},
      {"two Hosts in different cases", with("hOST: b\r\n"), "400"},
      {"two Hosts in one", with_host(" a, b"), "400"},
      {"an empty Host", with_host(""), "400"},
      {"a Host of spaces", with_host("   "), "400"},
      {"a Host with a path", with_host(" a/b"), "400"},
      {"a Host with a user", with_host(" u@a"), "400"},
      {"a Host with a space", with_host(" a b"), "400"},
      {"a Host with a query", with_host(" a?b"), "400"},
      {"a Host with a fragment", with_host(" a#b"), "400"},
      {"a Host with a backslash", with_host(" a\\b"), "400"},
      {"a Host with a quote", with_host(" \"a\""), "400"},
      {"a Host with markup", with_host(" <a>"), "400"},
      {"a Host with raw UTF-8", with_host(" \xc3\xa4"), "400"},
      {"a Host with two ports", with_host(" a:80:81"), "400"},
      {"a Host with a port that is none", with_host(" a:b"), "400"},
      {"a Host with a port too large", with_host(" a:65536"), "400"},
      {"a Host with a signed port", with_host(" a:+80"), "400"},
      {"a Host with a port", with_host(" a:80"), "GET a:80 /|\n"},
      {"a Host with an empty port", with_host(" a:"), "GET a: /|\n"},
      {"a Host that is IPv6", with_host(" [::1]:80"), "GET [::1]:80 /|\n"},
      {"a Host with an open bracket", with_host(" [::1"), "400"},
      {"a Host with more behind the bracket", with_host(" [::1]a"), "400"},
      {"a Host with a name in brackets", with_host(" [a.example]"), "400"},
      {"a Host without space", with_host("a"), plain},
      {"a Host with tabs around", with_host("\ta\t"), plain},
      {"a Host that Connection names", with("Connection: host\r\n"), plain},
      // Fields.
      {"a space before the colon", with("X : b\r\n"), "400"},
      {"a tab before the colon", with("X\t: b\r\n"), "400"},
      {"a space in a name", with("X Y: b\r\n"), "400"},
      {"no name", with(": b\r\n"), "400"},
      {"no colon", with("X\r\n"), "400"},
      {"a folded line", with("X: a\r\n b\r\n"), "400"},
      {"a line folded by a tab", with("X: a\r\n\tb\r\n"), "400"},
      {"a folded empty line", with("X: a\r\n \r\n"), "400"},
      {"a space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400"},
      {"NUL in a value", with("X: a\0b\r\n"s), "400"},
      {"NUL in a name", with("X\0: b\r\n"s), "400"},
      {"a control character in a value", with("X: a\x01\r\n"), "400"},
      {"DEL in a value", with("X: a\x7f\r\n"), "400"},
      {"a vertical tab in a value", with("X: a\vb\r\n"), "400"},
      {"a form feed in a value", with("X: a\fb\r\n"), "400"},
      {"a tab in a value", with("X: a\tb\r\n"), plain},
      {"raw UTF-8 in a value", with("X: \xc3\xa4\r\n"), plain},
      {"raw UTF-8 in a name", with("\xc3\xa4: b\r\n"), "400"},
      {"a parenthesis in a name", with("X(: b\r\n"), "400"},
      {"a quote in a name", with("X\": b\r\n"), "400"},
      {"a bracket in a name", with("[X]: b\r\n"), "400"},
      {"an at sign in a name", with("X@: b\r\n"), "400"},
      {"a slash in a name", with("X/Y: b\r\n"), "400"},
      {"an empty value", with("X:\r\n"), plain},
      {"a colon in a value", with("X: a:b\r\n"), plain},
      {"too many fields", with([] {
         std::string many;
         for (int i = 0; i < 300; ++i) many += "X: a\r\n";
         return many;
       }()),
       "431"},
      {"a head that is too large", with("X: " + std::string(40'000, 'a') + "\r\n"), "431"},
      {"a target that is too long", with_target("/" + std::string(9'000, 'a')), "414"},
  };
}

}  // namespace lb
