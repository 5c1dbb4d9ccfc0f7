// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/slab.h"
#include "l7/exchange_ends.h"
#include "l7/http2_frame.h"
#include "l7/http2_request.h"
#include "l7/http2_sender.h"

namespace lb {

class Exchange;
class Http2Session;

// One stream of a client's HTTP/2 connection: the client's end of one exchange. Holds what the
// client does not take of a response (one read of its server), and what the exchange does not take
// of a request's body (the stream's window). Its connection does the work (http2_session.h). Worker
// thread; owned by its connection, which frees it at the end of a turn.
struct Http2Stream final : public InSlab<Http2Stream>, public ClientStream, public Http2Outgoing {
  Http2Stream(Http2Session& owner, uint32_t number, int64_t first_window, int64_t now_ms);
  ~Http2Stream();

  // The request's next bytes are awaited from the client. Once there is a response both may be
  // silent for as long as a response may.
  bool awaits_body() const;

  void send_interim(const ResponseHead& head) override;
  void send_response(const ResponseHead& head, const BodyPart& part) override;
  void send_body(const BodyPart& part) override;
  Pipe* body_pipe() override { return nullptr; }
  size_t body_room() const override;
  void cut() override;
  const TlsSession* tls() const override;
  bool is_gone() const override;
  bool is_blocked() const override;
  void pause_body() override { paused = true; }
  void resume_body() override;
  void exchange_done() override;

  Http2Session& session;
  std::unique_ptr<Exchange> exchange;  // until it is over
  int64_t receive_window;
  int64_t unacknowledged = 0;  // of the request's body: taken, and not yet given back as window
  uint64_t length_left = 0;    // what the request's Content-Length still promises
  int64_t since_ms;            // when the request's body made its last progress
  std::string held;            // of the request's body, while it is paused
  std::unique_ptr<Http2TrailerReader> held_trailers;
  bool is_tunnel = false;  // an extended CONNECT: its body begins with the response
  bool has_length = false;
  bool remote_closed = false;  // the client has sent all
  bool body_told = false;      // the exchange knows of the body's end
  bool paused = false;
  bool resumed = false;      // to go on with what is held, at the end of this turn
  bool head_sent = false;    // of the final response
  bool was_blocked = false;  // the exchange has learnt that it is
  bool over = false;         // the exchange is
  bool closed = false;       // nothing more happens on it
};

}  // namespace lb
