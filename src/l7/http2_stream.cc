// SPDX-License-Identifier: MIT
#include "l7/http2_stream.h"

#include "l7/exchange.h"
#include "l7/http2_session.h"

namespace lb {

Http2Stream::Http2Stream(Http2Session& owner, uint32_t number, int64_t first_window, int64_t now_ms)
    : session(owner), receive_window(Http2Session::kStreamWindow), since_ms(now_ms) {
  id = number;
  window = first_window;
}

Http2Stream::~Http2Stream() = default;

bool Http2Stream::awaits_body() const {
  return exchange && !is_tunnel && !remote_closed && held.empty() && !paused &&
         exchange->awaits_body() && !exchange->has_response();
}

void Http2Stream::send_interim(const ResponseHead& head) {
  session.send_interim(*this, head);
}

void Http2Stream::send_response(const ResponseHead& head, const BodyPart& part) {
  session.send_response(*this, head, part);
}

void Http2Stream::send_body(const BodyPart& part) {
  session.send_body(*this, part);
}

size_t Http2Stream::body_room() const {
  return session.room(*this);
}

// What was sent before may still be on its way.
void Http2Stream::cut() {
  session.reset(*this, Http2Error::internal_error);
}

const TlsSession* Http2Stream::tls() const {
  return session.tls();
}

bool Http2Stream::is_gone() const {
  return closed || session.is_gone();
}

bool Http2Stream::is_blocked() const {
  return session.is_blocked(*this);
}

// Later: calls to a codec never call back.
void Http2Stream::resume_body() {
  if (!paused) return;
  paused = false;
  resumed = true;
  session.wake();
}

void Http2Stream::exchange_done() {
  session.exchange_done(*this);
}

}  // namespace lb
