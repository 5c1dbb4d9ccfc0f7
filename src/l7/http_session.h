// SPDX-License-Identifier: MIT
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "common/intrusive_list.h"
#include "common/slab.h"
#include "l7/chunk_decoder.h"
#include "l7/exchange_ends.h"
#include "l7/exchange_record.h"
#include "l7/http1_parser.h"
#include "l7/http1_writer.h"
#include "net/proxy_protocol.h"
#include "net/socket.h"
#include "net/stream.h"
#include "net/timeout_queue.h"
#include "pool/client_limits.h"
#include "pool/close_reason.h"

namespace lb {

class Exchange;
class HttpFrontend;
class Server;

// One client's HTTP/1.1 connection: reads requests, one at a time, and writes their responses. A
// client that turns out to speak HTTP/2 gets a Http2Session instead. What
// a client sends beyond the present request waits, in the kernel as far as possible. Holds nothing
// but itself while idle. Ends in end(), which says why, and never deletes itself. Worker thread;
// owned by its frontend.
class HttpSession final : public InSlab<HttpSession>,
                          public ListHook,
                          public ClientStream,
                          private Timeout {
 public:
  HttpSession(HttpFrontend& frontend, Fd client, const Address& peer);
  ~HttpSession() override;

  // Once, right after construction; may end the session.
  void start();
  void end(CloseReason reason);
  // The listener has other timeouts, or is going.
  void timeouts_changed();
  // The listener limits connections of a source now.
  void count_for_source() { place_.count(); }
  void leave_server(const Server* server);
  // How long it has been idle, between requests or before the first; -1: it is not.
  int64_t idle_ms() const { return at_ == At::idle ? now_ms() - since_ms_ : -1; }
  // Something came that is yet to be read.
  bool has_spoken() const { return has_unread(stream_.fd()); }

 private:
  enum class At : uint8_t {
    proxy_header,
    handshake,
    idle,       // nothing of a request has come
    head,       // a part of one has
    exchange,   // it is being answered
    flushing,   // it was, and the client has yet to take it
    lingering,  // nothing more is said; what still comes is thrown away
    ended,
  };
  // What only a connection at work needs.
  struct Work;

  void send_interim(const ResponseHead& head) override;
  void send_response(const ResponseHead& head, const BodyPart& part) override;
  void send_body(const BodyPart& part) override;
  Pipe* body_pipe() override;
  void cut() override { cut_ = true; }
  const TlsSession* tls() const override { return stream_.tls(); }
  bool is_gone() const override { return gone_; }
  bool is_blocked() const override;
  void pause_body() override;
  void resume_body() override;
  void exchange_done() override;
  void on_timeout() override;

  void on_readable();
  void on_writable();
  void read();
  bool read_once();
  bool splice_once(Pipe& pipe, bool is_first);
  Pipe* request_pipe();
  bool ended(const Transfer& got);
  void read_proxy_header();
  void begin(const ProxyHeader& header, std::string_view rest);
  void begin_handshake(std::string_view received);
  void shake_hands();
  void refuse_plain_http();
  bool begins_http2(std::string_view bytes) const;
  void become_http2(std::string_view received);
  void await_bytes();
  void come_back();
  void watch();
  void read_to_nowhere();
  void take(char* bytes, size_t size);
  void take_end(bool in_order);
  size_t process(char* bytes, size_t size);
  size_t begin_exchange(char* bytes, size_t size);
  size_t next_part(char* bytes, size_t size, BodyPart& part, bool& good);
  bool wants_bytes() const;
  void go_on();
  void settle_exchange();
  void became_idle();
  void refuse(const HttpRefusal& refusal, ExchangeEnd why, std::string_view bytes);
  void close_after_flush();
  void linger();
  bool must_linger() const;
  bool still_takes();
  bool has_left();
  void send(std::span<iovec> pieces);
  bool flush();
  void release_work();
  Work& work();
  void lower_deadline();
  int64_t next_deadline_ms() const;
  int64_t now_ms() const;

  HttpFrontend& frontend_;
  Stream stream_;
  IoEvent readable_;
  std::unique_ptr<Work> work_;
  Address peer_;  // or the PROXY header's source
  SourcePlace place_;
  int64_t since_ms_;  // when the present state began, or a body made its last progress
  At at_ = At::idle;
  BodyKind out_body_ = BodyKind::none;
  bool is_new_ = true;    // nothing was asked yet
  bool in_turn_ = false;  // process() is at work
  bool over_ = false;     // the exchange is, and is yet to be cleared away
  bool keep_ = true;      // the connection outlives the present response
  bool minor_is_0_ = false;
  bool is_trusted_ = false;
  bool gone_ = false;
  bool cut_ = false;
  bool paused_ = false;
  bool yields_ = false;  // what was read has more requests
  bool raw_ = false;     // after 101
  bool body_done_ = true;
  bool shutdown_due_ = false;
  bool read_wants_write_ = false;  // TLS
};

}  // namespace lb
