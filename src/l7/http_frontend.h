// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string_view>

#include "common/intrusive_list.h"
#include "l7/exchange_record.h"
#include "l7/forwarding.h"
#include "l7/http_tools.h"
#include "l7/request_meter.h"
#include "l7/router.h"
#include "pool/stream_frontend.h"

namespace lb {

class Http2Session;
struct Http2Client;
class HttpSession;

// An HTTP listener on one worker: owns the clients' connections. Worker thread.
class HttpFrontend final : public StreamFrontend {
 public:
  HttpFrontend(HttpTools& tools, FrontendPlan plan);
  // Ends what is still open.
  ~HttpFrontend() override;

  void update(FrontendPlan plan) override;
  void set_pools(const Pools& pools) override;
  void stop_accepting() override;
  void leave_server(const Server* server, CloseReason reason) override;
  void end_sessions(CloseReason reason) override;
  size_t session_count() const override { return sessions_.size() + http2_sessions_.size(); }
  size_t end_idle(size_t most) override;
  bool has_idle() const override { return true; }

  // For its sessions and exchanges.
  HttpTools& tools() const { return tools_; }
  // Of the newest snapshot; this worker's own reference.
  const std::shared_ptr<const RouteTable>& routes() const { return routes_; }
  // No further request is taken on a connection.
  bool is_draining() const { return draining_since_ms_ != 0; }
  int64_t draining_since_ms() const { return draining_since_ms_; }
  std::unique_ptr<ServerStream> open_connection(Server& server, Fd fd, const Pool& pool,
                                                const RequestOrigin& origin);
  // The end of one.
  void exchange_over(const ExchangeRecord& record);
  // `still_counts`: somebody else calls end_of_count().
  void session_ended(HttpSession& session, bool still_counts);
  void session_ended(Http2Session& session);
  // Its client speaks HTTP/2, and has said so far what was `received`.
  void change_to_http2(HttpSession& session, Stream stream, Http2Client client,
                       std::string_view received);

 private:
  void begin_session(Fd client, const Address& peer) override;
  void count_for_sources() override;
  void take_routes(std::shared_ptr<const ProtocolPlan> plan);

  HttpTools& tools_;
  std::shared_ptr<const RouteTable> routes_;
  RequestMeter meter_;
  IntrusiveList<HttpSession> sessions_;
  IntrusiveList<Http2Session> http2_sessions_;
  int64_t draining_since_ms_ = 0;  // 0 = it is not
};

}  // namespace lb
