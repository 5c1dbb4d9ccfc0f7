// SPDX-License-Identifier: MIT
#include "l7/http2_server_stream.h"

#include "l7/http2_server_connection.h"

namespace lb {

Http2ServerStream::Http2ServerStream(Http2ServerConnection& owner, Server& to, bool reused)
    : connection(&owner),
      its_server(to),
      receive_window(Http2ServerConnection::kStreamWindow),
      was_reused(reused) {}

Http2ServerStream::~Http2ServerStream() {
  close();
}

void Http2ServerStream::start(const RequestHead& head, bool, const BodyPart& part,
                              ResponseSink& to) {
  sink = &to;
  if (connection != nullptr) connection->start(*this, head, part);
}

void Http2ServerStream::send_body(const BodyPart& part) {
  if (connection != nullptr) connection->send_body(*this, part);
}

// Later: calls to a codec never call back.
void Http2ServerStream::resume() {
  if (!paused) return;
  paused = false;
  resumed = true;
  if (connection != nullptr) connection->wake();
}

void Http2ServerStream::close() {
  sink = nullptr;
  if (connection != nullptr) connection->give_up(*this);
  at = At::closed;
}

bool Http2ServerStream::is_through(bool ask) {
  return connection != nullptr ? connection->is_through(ask) : was_through;
}

bool Http2ServerStream::is_blocked() const {
  return connection != nullptr && !end_sent && connection->is_blocked(*this);
}

bool Http2ServerStream::has_written() const {
  return connection != nullptr ? connection->has_written(*this) : was_written;
}

}  // namespace lb
