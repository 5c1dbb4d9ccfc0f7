// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "l7/http_message.h"

namespace lb {

class TlsSession;

struct Pipe;

// A piece of a body, in order. The last one may be empty and may have trailers.
struct BodyPart {
  std::string_view bytes;
  bool is_last = false;
  const Trailers* trailers = nullptr;
  size_t piped = 0;  // so many bytes more stand in the pipe that the receiver gave for them

  size_t size() const { return bytes.size() + piped; }
};

// The client's end of one exchange, whatever protocol its connection speaks. Calls never call back:
// what came of them the exchange asks afterwards, later events come to it by themselves. After 101
// the body both ways is what the new protocol says, its last part the end of that stream. Worker
// thread.
class ClientStream {
 public:
  // 1xx but for 101.
  virtual void send_interim(const ResponseHead& head) = 0;
  // The final head (or 101) with what is there of the body.
  virtual void send_response(const ResponseHead& head, const BodyPart& part) = 0;
  virtual void send_body(const BodyPart& part) = 0;
  // Where the next piece of a large body may be put by splice(2), to be sent as `piped`; null where
  // it must be bytes.
  virtual Pipe* body_pipe() = 0;
  // How much of a body it would pass on at once: nobody need read more than that.
  virtual size_t body_room() const { return SIZE_MAX; }
  // The response cannot be completed, which the client must be able to tell.
  virtual void cut() = 0;

  // Null where it came in clear.
  virtual const TlsSession* tls() const = 0;
  // The client is gone, whatever is sent.
  virtual bool is_gone() const = 0;
  // It has not taken all that was sent: no more until Exchange::client_drained().
  virtual bool is_blocked() const = 0;
  virtual void pause_body() = 0;
  virtual void resume_body() = 0;
  // The exchange is over. It may be destroyed at the end of this turn.
  virtual void exchange_done() = 0;

 protected:
  ~ClientStream() = default;
};

// How a request failed at its server.
enum class ServerFailure : uint8_t {
  connect,   // the connection never stood
  silent,    // it ended before a byte of a response
  refused,   // it stands, and the server says that it has done nothing about the request
  broken,    // it ended within a response
  nonsense,  // what came is no HTTP
};

// Who asked a server something: hears of what comes back, from events only. Worker thread.
class ResponseSink {
 public:
  virtual void on_interim(const ResponseHead& head) = 0;
  // The final head (or 101) with what is there of the body. The head may be changed.
  virtual void on_response(ResponseHead& head, const BodyPart& part) = 0;
  virtual void on_response_body(const BodyPart& part) = 0;
  // As those of ClientStream.
  virtual Pipe* body_pipe() = 0;
  virtual size_t body_room() const = 0;
  // The connection is of no more use.
  virtual void on_server_failed(ServerFailure failure, int error) = 0;
  // The server has taken all that was sent.
  virtual void on_server_drained() = 0;

 protected:
  ~ResponseSink() = default;
};

}  // namespace lb
