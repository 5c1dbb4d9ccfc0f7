// SPDX-License-Identifier: MIT
// How long a body is: what the head says, twice or unclearly.
#include <vector>

#include "read_requests.h"

namespace lb {

namespace {

using namespace std::string_literals;

// A request with these fields, and what follows its head.
std::string post(const std::string& fields, const std::string& rest) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + rest;
}

std::string length(const std::string& value) {
  return post("Content-Length:" + value + "\r\n", "12345");
}

std::string coding(const std::string& field) {
  return post(field + "\r\n", "0\r\n\r\n");
}

}  // namespace

std::vector<Smuggled> smuggled_lengths() {
  const std::string five = "POST a /|12345\n";
  const std::string none = "POST a /|\n";
  const std::string hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string and_hidden = "GET a /hidden|\n";
  return {
      // Content-Length
      {"plain", length(" 5"), five},
      {"without space", length("5"), five},
      {"spaces around", length("  5\t "), five},
      {"leading zeros are decimal", length(" 005"), five},
      {"a name in capitals", post("CONTENT-LENGTH: 5\r\n", "12345"), five},
      {"signed", length(" +5"), "400"},
      {"negative", length(" -5"), "400"},
      {"negative zero", length(" -0"), "400"},
      {"hexadecimal", length(" 0x5"), "400"},
      {"a letter behind", length(" 5a"), "400"},
      {"fractional", length(" 5.0"), "400"},
      {"an exponent", length(" 5e0"), "400"},
      {"empty", length(""), "400"},
      {"spaces only", length("  "), "400"},
      {"a space within", length(" 1 2"), "400"},
      {"a list of the same", length(" 5, 5"), "400"},
      {"a list of two", length(" 5, 0"), "400"},
      {"a list with an empty item", length(" 5,"), "400"},
      {"a semicolon", length(" 5;"), "400"},
      {"quoted", length(" \"5\""), "400"},
      {"underscored", length(" 1_0"), "400"},
      {"a vertical tab behind", length(" 5\v"), "400"},
      {"NUL behind", length(" 5\0"s), "400"},
      {"other digits", length(" \xd9\xa5"), "400"},
      {"more than 64 bits", length(" 18446744073709551621"), "400"},
      {"2^64", length(" 18446744073709551616"), "400"},
      {"2^63", length(" 9223372036854775808"), "400"},
      {"without end", length(" " + std::string(300, '9')), "400"},
      {"twice the same", post("Content-Length: 5\r\nContent-Length: 5\r\n", "12345"), "400"},
      {"twice, different", post("Content-Length: 5\r\nContent-Length: 0\r\n", "12345"), "400"},
      {"twice, in two cases", post("Content-Length: 0\r\ncontent-length: 5\r\n", "12345"), "400"},
      {"a space before the colon", post("Content-Length : 5\r\n", "12345"), "400"},
      {"a tab before the colon", post("Content-Length\t: 5\r\n", "12345"), "400"},
      {"folded", post("Content-Length:\r\n 5\r\n", "12345"), "400"},
      {"folded into the field before", post("X: a\r\n Content-Length: 5\r\n", "12345"), "400"},
      {"a NUL before the name", post("\0Content-Length: 5\r\n"s, "12345"), "400"},
      {"a space before the name", post(" Content-Length: 5\r\n", "12345"), "400"},
      {"with an underscore it is another field", post("Content_Length: 5\r\n", hidden),
       none + and_hidden},
      {"none: what follows is a request", post("", hidden), none + and_hidden},
      {"zero: what follows is a request", post("Content-Length: 0\r\n", hidden), none + and_hidden},
      {"a hidden request is a body", post("Content-Length: 33\r\n", hidden),
       "POST a /|" + hidden + "\n"},
      {"a body behind GET", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345",
       "GET a /|12345\n"},
      {"a body behind HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345",
       "HEAD a /|12345\n"},
      {"more than its length is the next request", post("Content-Length: 5\r\n", "12345" + hidden),
       five + and_hidden},
      {"an empty line behind the body", post("Content-Length: 5\r\n", "12345\r\n" + hidden),
       five + and_hidden},
      {"less than its length", post("Content-Length: 6\r\n", "12345"), "..."},
      {"the length that Connection names",
       post("Connection: content-length\r\nContent-Length: 5\r\n", "12345"), five},
      {"HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345", five},
      // Both
      {"length before chunked",
       post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "400"},
      {"chunked before length",
       post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), "400"},
      {"chunked and length zero",
       post("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", "0\r\n\r\n"), "400"},
      {"a length and an unknown coding",
       post("Content-Length: 5\r\nTransfer-Encoding: x\r\n", "12345"), "400"},
      {"a length and an empty coding", post("Content-Length: 5\r\nTransfer-Encoding:\r\n", "12345"),
       "400"},
      {"a length and identity",
       post("Content-Length: 5\r\nTransfer-Encoding: identity\r\n", "12345"), "400"},
      {"a length, and chunked that Connection names",
       post("Connection: transfer-encoding\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n"),
       "400"},
      // Transfer-Encoding
      {"chunked", coding("Transfer-Encoding: chunked"), none},
      {"Chunked", coding("Transfer-Encoding: Chunked"), none},
      {"CHUNKED", coding("TRANSFER-ENCODING:CHUNKED"), none},
      {"spaces around chunked", coding("Transfer-Encoding: \t chunked\t"), none},
      {"chunked twice", coding("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), "400"},
      {"chunked and identity", coding("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
       "400"},
      {"identity and chunked", coding("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"),
       "400"},
      {"chunked, chunked", coding("Transfer-Encoding: chunked, chunked"), "400"},
      {"gzip, chunked", coding("Transfer-Encoding: gzip, chunked"), "400"},
      {"chunked, gzip", coding("Transfer-Encoding: chunked, gzip"), "400"},
      {"chunked, identity", coding("Transfer-Encoding: chunked, identity"), "400"},
      {"identity", coding("Transfer-Encoding: identity"), "400"},
      {"gzip", coding("Transfer-Encoding: gzip"), "400"},
      {"an empty coding", coding("Transfer-Encoding:"), "400"},
      {"a comma before", coding("Transfer-Encoding: ,chunked"), "400"},
      {"a comma behind", coding("Transfer-Encoding: chunked,"), "400"},
      {"a parameter", coding("Transfer-Encoding: chunked;q=1"), "400"},
      {"quoted chunked", coding("Transfer-Encoding: \"chunked\""), "400"},
      {"single-quoted chunked", coding("Transfer-Encoding: 'chunked'"), "400"},
      {"xchunked", coding("Transfer-Encoding: xchunked"), "400"},
      {"chunkedx", coding("Transfer-Encoding: chunkedx"), "400"},
      {"chunk", coding("Transfer-Encoding: chunk"), "400"},
      {"cow", coding("Transfer-Encoding: cow"), "400"},
      {"chunked and a space within", coding("Transfer-Encoding: chu nked"), "400"},
      {"a vertical tab before chunked", coding("Transfer-Encoding: \vchunked"), "400"},
      {"a form feed behind chunked", coding("Transfer-Encoding: chunked\f"), "400"},
      {"NUL behind chunked", coding("Transfer-Encoding: chunked\0"s), "400"},
      {"a long s",
       coding("Tran\xc5\xbf"
              "fer-Encoding: chunked"),
       "400"},
      {"a Kelvin sign",
       coding("Transfer-Encoding: chun\xe2\x84\xaa"
              "ed"),
       "400"},
      {"a space before its colon", coding("Transfer-Encoding : chunked"), "400"},
      {"a tab before its colon", coding("Transfer-Encoding\t: chunked"), "400"},
      {"no colon", coding("Transfer-Encoding chunked"), "400"},
      {"folded chunked", coding("Transfer-Encoding:\r\n chunked"), "400"},
      {"folded behind another", coding("X: a\r\n Transfer-Encoding: chunked"), "400"},
      {"behind a bare LF", coding("X: a\nTransfer-Encoding: chunked"), "400"},
      {"behind a bare CR", coding("X: a\rTransfer-Encoding: chunked"), "400"},
      {"with an underscore it is another field", post("Transfer_Encoding: chunked\r\n", hidden),
       none + and_hidden},
      {"in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "400"},
      {"chunked that Connection names",
       post("Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), none},
      {"an Upgrade to HTTP/2 in the clear is forgotten",
       post("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
            ""),
       none},
      {"too many Connection fields",
       post(
           [] {
             std::string many;
             for (int i = 0; i < 9; ++i) many += "Connection: x\r\n";
             return many;
           }(),
           ""),
       "400"},
      {"an expectation that is none", post("Expect: 200-ok\r\nContent-Length: 5\r\n", "12345"),
       "417"},
      {"an expectation behind the known one",
       post("Expect: 100-continue\r\nExpect: 200-ok\r\nContent-Length: 5\r\n", "12345"), "417"},
  };
}

}  // namespace lb
