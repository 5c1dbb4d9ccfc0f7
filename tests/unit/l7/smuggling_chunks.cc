// SPDX-License-Identifier: MIT
// Chunked bodies whose end two readers may see in two places.
#include <vector>

#include "read_requests.h"

namespace lb {

namespace {

using namespace std::string_literals;

std::string chunked(const std::string& body) {
  return "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body;
}

}  // namespace

std::vector<Smuggled> smuggled_chunks() {
  const std::string five = "POST a /|12345\n";
  const std::string none = "POST a /|\n";
  const std::string hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string and_hidden = "GET a /hidden|\n";
  return {
      {"plain", chunked("5\r\n12345\r\n0\r\n\r\n"), five},
      {"two chunks", chunked("2\r\n12\r\n3\r\n345\r\n0\r\n\r\n"), five},
      {"capital hexadecimal", chunked("A\r\n1234567890\r\n0\r\n\r\n"), "POST a /|1234567890\n"},
      {"small hexadecimal", chunked("a\r\n1234567890\r\n0\r\n\r\n"), "POST a /|1234567890\n"},
      {"leading zeros", chunked("0005\r\n12345\r\n000\r\n\r\n"), five},
      {"many leading zeros", chunked(std::string(16, '0') + "5\r\n12345\r\n0\r\n\r\n"), "400"},
      {"the last chunk in many zeros", chunked(std::string(16, '0') + "\r\n\r\n"), "400"},
      {"0x", chunked("0x5\r\n12345\r\n0\r\n\r\n"), "400"},
      {"a sign", chunked("+5\r\n12345\r\n0\r\n\r\n"), "400"},
      {"negative", chunked("-5\r\n12345\r\n0\r\n\r\n"), "400"},
      {"a space before", chunked(" 5\r\n12345\r\n0\r\n\r\n"), "400"},
      {"a space behind", chunked("5 \r\n12345\r\n0\r\n\r\n"), "400"},
      {"a tab behind", chunked("5\t\r\n12345\r\n0\r\n\r\n"), "400"},
      {"no size", chunked("\r\n12345\r\n0\r\n\r\n"), "400"},
      {"an extension without size", chunked(";a\r\n12345\r\n0\r\n\r\n"), "400"},
      {"not hexadecimal", chunked("g\r\n12345\r\n0\r\n\r\n"), "400"},
      {"letters behind the size", chunked("5g\r\n12345\r\n0\r\n\r\n"), "400"},
      {"an underscore", chunked("0_5\r\n12345\r\n0\r\n\r\n"), "400"},
      {"more than 64 bits", chunked("10000000000000005\r\n12345\r\n0\r\n\r\n"), "400"},
      {"all of 64 bits", chunked("ffffffffffffffff\r\n12345\r\n0\r\n\r\n"), "400"},
      {"NUL behind the size", chunked("5\0\r\n12345\r\n0\r\n\r\n"s), "400"},
      {"size and bare LF", chunked("5\n12345\r\n0\r\n\r\n"), "400"},
      {"size and bare CR", chunked("5\r12345\r\n0\r\n\r\n"), "400"},
      {"data and bare LF", chunked("5\r\n12345\n0\r\n\r\n"), "400"},
      {"data and bare CR", chunked("5\r\n12345\r0\r\n\r\n"), "400"},
      {"data and nothing", chunked("5\r\n123450\r\n\r\n"), "400"},
      {"data longer than its size", chunked("5\r\n123456\r\n0\r\n\r\n"), "400"},
      {"data shorter than its size", chunked("5\r\n1234\r\n0\r\n\r\n"), "400"},
      {"the last chunk and bare LF", chunked("0\n\r\n"), "400"},
      {"the end in a bare LF", chunked("0\r\n\n"), "400"},
      {"the end in a bare CR", chunked("0\r\n\r" + hidden), "400"},
      {"no end", chunked("5\r\n12345\r\n0\r\n"), "..."},
      {"no last chunk", chunked("5\r\n12345\r\n"), "..."},
      {"a hidden request behind the end", chunked("0\r\n\r\n" + hidden), none + and_hidden},
      {"a hidden request as a trailer", chunked("0\r\n" + hidden), "400"},
      {"a hidden request in a chunk", chunked("21\r\n" + hidden + "\r\n0\r\n\r\n"),
       "POST a /|" + hidden + "\n"},
      // Extensions
      {"an extension", chunked("5;a=b\r\n12345\r\n0\r\n\r\n"), five},
      {"an extension of the last chunk", chunked("5\r\n12345\r\n0;a\r\n\r\n"), five},
      {"a quoted extension", chunked("5;a=\"b;c\"\r\n12345\r\n0\r\n\r\n"), five},
      {"an empty extension", chunked("5;\r\n12345\r\n0\r\n\r\n"), five},
      {"an extension with spaces", chunked("5; a = b\r\n12345\r\n0\r\n\r\n"), five},
      {"bare LF in an extension", chunked("5;\n12345\r\n0\r\n\r\n"), "400"},
      {"bare LF hides a size in an extension", chunked("5;a\n3\r\n12345\r\n0\r\n\r\n"), "400"},
      {"bare CR in an extension", chunked("5;a\rb\r\n12345\r\n0\r\n\r\n"), "400"},
      {"quoted CRLF in an extension", chunked("5;a=\"\r\n12345\r\n0\r\n\r\n"), five},
      {"NUL in an extension", chunked("5;a\0\r\n12345\r\n0\r\n\r\n"s), "400"},
      {"an endless extension", chunked("5;" + std::string(1'100, 'a') + "\r\n12345\r\n0\r\n\r\n"),
       "400"},
      // Trailers
      {"a trailer", chunked("0\r\nX: a\r\n\r\n"), none},
      {"two trailers", chunked("0\r\nX: a\r\nY: b\r\n\r\n"), none},
      {"a length as a trailer", chunked("0\r\nContent-Length: 5\r\n\r\n" + hidden),
       none + and_hidden},
      {"a coding as a trailer", chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n" + hidden),
       none + and_hidden},
      {"a Host as a trailer", chunked("0\r\nHost: b\r\n\r\n"), none},
      {"a trailer in a bare LF", chunked("0\r\nX: a\n\r\n"), "400"},
      {"a folded trailer", chunked("0\r\nX: a\r\n b\r\n\r\n"), "400"},
      {"a trailer without colon", chunked("0\r\nX\r\n\r\n"), "400"},
      {"a trailer with a space before its colon", chunked("0\r\nX : a\r\n\r\n"), "400"},
      {"NUL in a trailer", chunked("0\r\nX: \0\r\n\r\n"s), "400"},
      {"a bare CR in a trailer", chunked("0\r\nX: a\rb\r\n\r\n"), "400"},
      {"endless trailers", chunked("0\r\nX: " + std::string(9'000, 'a') + "\r\n\r\n"), "400"},
  };
}

}  // namespace lb
