// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/address.h"
#include "common/intrusive_list.h"
#include "common/slab.h"
#include "l4/tcp_opening.h"
#include "net/proxy_protocol.h"
#include "net/relay.h"
#include "net/timeout_queue.h"
#include "pool/client_limits.h"
#include "pool/close_reason.h"
#include "pool/connector.h"
#include "pool/server.h"
#include "pool/wait_line.h"

namespace lb {

class TcpFrontend;

// One TCP connection through us: a client, in time a server, and a relay each way. Ends in end(),
// which says why, and never deletes itself. About 900 bytes while idle, without any buffer.
//
// The server's socket is watched from the moment its connect begins, and the client's first bytes
// are sent at once: a connect that is through costs no call of its own. What shows that it is
// through is the first byte either way, or, when both are silent, the connect timeout. Where the
// server speaks TLS the handshake belongs to the connect.
// Worker thread; owned by its frontend.
class TcpSession final : public InSlab<TcpSession>,
                         public ListHook,
                         private Timeout,
                         private Waiter {
 public:
  TcpSession(TcpFrontend& frontend, Fd client, const Address& peer);
  ~TcpSession() override;

  // Once, right after construction; may end the session.
  void start();
  void end(CloseReason reason);
  // The listener has other timeouts now.
  void timeouts_changed();
  // The listener limits connections of a source now.
  void count_for_source() { place_.count(); }
  // Its server is going: ends, or while it is still connecting goes on to another server.
  void leave_server(CloseReason reason);

  // The server that it is connected or connecting to; null while it has none.
  const Server* server() const { return lease_.server(); }
  // The pool that a route has led it to; without routes "".
  const std::string& route() const { return route_; }

 private:
  enum class State : uint8_t { opening, pausing, waiting, connecting, relaying, ended };
  enum class Direction : uint8_t { to_server, to_client };

  void on_timeout() override;
  void on_turn() override;
  void on_client_readable();
  void on_client_writable();
  void on_server_readable();
  void on_server_writable();

  std::string_view read_ahead();
  void go_on_opening();
  void opened();
  void begin(const ProxyHeader& header, std::string_view rest, const std::string& server_name);

  void follow(Connector::Step step);
  void begin_waiting();
  void look_while_waiting();
  void read_while_waiting();
  void begin_connect();
  void connect_failed(int error);
  void connected();
  void check_connect();
  void check_late_connect();
  bool shakes_hands() const;
  void shake_hands();
  void begin_relaying();
  bool connect_shown_failed(Relay::Outcome outcome, const Relay& relay) const;

  void handle(Relay::Outcome outcome, Direction direction);
  void finish(Direction direction);
  void broken_write(Direction direction);
  void note_request();
  void note_first_byte();
  void note_mute_end(Server& server, CloseReason reason);
  void note_client_progress();
  void count_bytes();
  void settle();
  void write_access_log(CloseReason reason) const;
  int32_t age_ms() const;
  void check_deadlines();
  void lower_deadline();
  int64_t next_deadline_ms() const;
  bool close_by_reset(CloseReason reason);
  CloseReason reset_reason() const;

  const Pool& pool() const;
  WorkKey key() const;
  std::string describe(CloseReason reason) const;

  TcpFrontend& frontend_;
  Endpoint client_;
  Endpoint server_;
  Relay to_server_;
  Relay to_client_;
  Lease lease_;
  Connector connector_{*this};
  std::unique_ptr<TcpOpening> opening_;             // while there is something before the bytes
  std::unique_ptr<std::string> header_before_tls_;  // the PROXY header for a server that speaks TLS
  std::string route_;
  Address peer_;  // or the PROXY header's source
  SourcePlace place_;
  int64_t started_ms_;
  int64_t active_ms_;              // the last byte either way
  int64_t client_stalled_ms_ = 0;  // since when the client takes nothing; 0 = it does
  int64_t connect_until_ms_ = 0;   // when the connect under way is late
  int64_t timing_us_ = 0;          // when the connect, then the request, began
  uint64_t name_key_ = 0;          // of the name that the client asked for; 0 = none
  uint32_t connect_took_us_ = 0;
  // For the access log, since the start; -1 = not yet.
  int32_t queued_ms_ = -1;
  int32_t connected_ms_ = -1;
  int32_t answered_ms_ = -1;
  uint64_t counted_in_ = 0;  // bytes that stand in the figures already
  uint64_t counted_out_ = 0;
  State state_ = State::opening;
  bool settled_ = false;  // keepalive is set at the server's socket
  bool first_byte_seen_ = false;
  bool to_server_broken_ = false;
  bool to_client_broken_ = false;
};

}  // namespace lb
