// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/slab.h"
#include "l7/exchange_ends.h"
#include "l7/exchange_record.h"
#include "l7/forwarding.h"
#include "l7/http_frontend.h"
#include "l7/server_stream.h"
#include "l7/token_check.h"
#include "l7/trace_context.h"
#include "net/timeout_queue.h"
#include "pool/connector.h"
#include "pool/wait_line.h"

namespace lb {

// One request and its response: finds the route, a server and a connection to it, sends the request
// on and the response back, piece by piece as both ends take it, and tries again by the pool's
// rules while nothing of a response was seen. Knows nothing of how the client's connection encodes
// messages. What it holds is bounded: the request's head, up to 64 KiB of its body for another try,
// and what the two connections keep. Worker thread; owned by its ClientStream.
class Exchange final : public InSlab<Exchange>,
                       private ResponseSink,
                       private Waiter,
                       private Timeout {
 public:
  // Of a request's body, kept for another try.
  static constexpr size_t kMostHeld = 64 * 1024;

  // `head` is copied, as are bytes where they are needed for longer.
  Exchange(HttpFrontend& frontend, ClientStream& client, const RequestOrigin& origin,
           const RequestHead& head);
  ~Exchange() override;

  // From the client's connection. What of the body came with the head.
  void begin(const BodyPart& part);
  void on_body(const BodyPart& part);
  // Where the next piece of the request's body may be put instead; null where it must be bytes.
  Pipe* request_pipe();
  // The client took everything that was sent.
  void client_drained();
  // It is gone, or given up.
  void client_gone(ExchangeEnd why = ExchangeEnd::client_gone);
  // The client sends its body too slowly, or not as it said.
  void refuse(int status, ExchangeEnd why = ExchangeEnd::bad_request);

  // Its server is going.
  const Server* server() const { return lease_.server(); }
  void leave_server();

  // A response has begun: nothing else can be said instead.
  bool has_response() const { return status_ != 0; }
  bool body_done() const { return body_done_; }
  bool is_upgraded() const { return state_ == State::upgraded; }
  // Whether the client's next body byte is awaited from it, rather than from us. In a call either
  // end may be the one to speak next.
  bool awaits_body() const { return !body_done_ && !body_paused_ && !expects_100_ && !is_grpc_; }

 private:
  enum class State : uint8_t {
    choosing,
    pausing,
    waiting,  // in the pool's line
    connecting,
    awaiting,
    responding,
    upgraded,
    over,
  };

  void on_interim(const ResponseHead& head) override;
  void on_response(ResponseHead& head, const BodyPart& part) override;
  void on_response_body(const BodyPart& part) override;
  Pipe* body_pipe() override { return client_.body_pipe(); }
  size_t body_room() const override { return client_.body_room(); }
  void on_server_failed(ServerFailure failure, int error) override;
  void on_server_drained() override;
  void on_timeout() override;
  void on_turn() override;

  bool prepare();
  void take_up_trace();
  bool is_too_large(uint64_t body) const;
  bool refused_by_rate(SourceRates* rates, uint64_t key);
  bool refused_by_route(const VerifiedToken* token);
  bool answer_by_route(const HttpRoute& route);
  void redirect(const HttpRedirect& rule);
  void rewrite(const HttpRoute& route);
  WorkKey key(const Pool& pool) const;
  void take_load_report(ResponseHead& head);
  void find_sticky_key(TokenCheck& tokens);
  void note_place();
  void take_cookie();
  void note_cookies(ResponseHead& head);
  void learn_cookies(const ResponseHead& head);
  void give_cookie(ResponseHead& head);
  void pass_claims_on(const VerifiedToken* token);
  const Pool& pool();
  const Server* last_server();

  void follow(Connector::Step step);
  void use(std::unique_ptr<ServerStream> connection);
  std::unique_ptr<ServerStream> take_connection();
  void begin_connect();
  bool note_connected(bool ask);
  void note_response_time();
  void hold(const BodyPart& part);
  bool is_unsent() const;
  bool is_repeatable() const;
  bool is_held_on() const;
  bool repeat_call();
  void fail_attempt(int error);
  void ask_again(bool anew);
  void respond(int status, ExchangeEnd why);
  void respond(ResponseHead& head, const BodyPart& part, ExchangeEnd why);
  void keep_alive();
  void passed_on(const BodyPart& part);
  void cut(ExchangeEnd why);
  void close_server();
  bool server_stays();
  void finish(ExchangeEnd why);
  void tell(ExchangeEnd why);
  void set_deadline();
  void lower_deadline();
  int64_t next_deadline_ms() const;
  int64_t began_ms() const { return began_us_ / 1000; }
  int64_t now_ms() const { return frontend_.worker().loop.now_ms(); }

  HttpFrontend& frontend_;
  ClientStream& client_;
  RequestOrigin origin_;
  Address source_;  // the client, as limits and hashes see it
  std::shared_ptr<const RouteTable> routes_;
  std::shared_ptr<const RouteTable> leased_from_;
  const HttpRoute* route_ = nullptr;
  size_t route_index_ = 0;
  size_t pool_index_ = 0;                  // in the route's pools
  std::optional<StickyKey> sticky_key_;    // where the pool has stickiness
  std::optional<Digest128> sticky_token_;  // whose claim it is
  std::unique_ptr<KeptRequest> memory_;    // of request_, until it is over
  KeptRequest& request_;
  TraceContext trace_;
  std::string held_;
  Trailers held_trailers_;
  Lease lease_;
  Connector connector_{*this};
  std::unique_ptr<ServerStream> server_;
  std::string_view asked_host_;
  std::string_view asked_path_;
  std::string_view asked_referer_;
  std::string_view asked_agent_;
  int64_t began_us_;
  int64_t queued_us_ = 0;
  int64_t connected_us_ = 0;
  int64_t responded_us_ = 0;
  int64_t active_ms_;  // the last progress at the server's end
  int64_t pause_until_ms_ = 0;
  int64_t connect_until_ms_ = 0;
  int64_t request_sent_us_ = 0;  // 0: not, or it was answered
  uint64_t body_bytes_ = 0;
  uint64_t response_bytes_ = 0;
  int status_ = 0;
  uint32_t interims_ = 0;
  uint32_t refusals_ = 0;
  State state_ = State::choosing;
  bool body_done_ = false;
  bool body_paused_ = false;
  bool expects_100_ = false;  // the client does, and sends no body until it comes
  bool held_whole_ = true;    // held_ is all of the body so far
  bool stuck_ = false;        // its server is known to be the sticky key's
  bool cookie_is_old_ = false;
  bool is_grpc_ = false;
  bool tried_stale_ = false;
  bool was_reused_ = false;
  bool response_done_ = false;
};

}  // namespace lb
