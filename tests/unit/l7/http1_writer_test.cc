// SPDX-License-Identifier: MIT
#include "l7/http1_writer.h"

#include <gtest/gtest.h>

namespace lb {
namespace {

TEST(Http1Writer, AResponseSaysItsLengthUnlessItCanHaveNone) {
  struct Row {
    int status;
    BodyKind body;
    const char* written;
  };
  const Row rows[] = {
      {200, BodyKind::length, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"},
      {200, BodyKind::streamed, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {204, BodyKind::none, "HTTP/1.1 204 No Content\r\n\r\n"},
      {304, BodyKind::none, "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n"},
      {103, BodyKind::none, "HTTP/1.1 103 \r\n\r\n"},
  };
  for (const Row& row : rows) {
    ResponseHead head;
    head.status = row.status;
    head.body = row.body;
    head.length = 3;
    std::string out;
    write_response(head, Ending::keep_alive, true, out);
    EXPECT_EQ(out, row.written);
  }
}

TEST(Http1Writer, AProtocolThatTheServerWantsIsNamedBesideTheConnectionsEnd) {
  ResponseHead head;
  head.status = 426;
  head.upgrade = "x";
  std::string out;
  write_response(head, Ending::close, true, out);
  EXPECT_EQ(out, "HTTP/1.1 426 \r\nConnection: upgrade\r\nUpgrade: x\r\nConnection: close\r\n\r\n");
}

}  // namespace
}  // namespace lb
