// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "common/intrusive_list.h"
#include "l4/tcp_router.h"
#include "l4/tcp_session.h"
#include "pool/stream_frontend.h"

namespace lb {

// Learns whether a listener's clients speak first and fast: then their first bytes are there when
// they are accepted, and reading at once saves waiting for an event. Where it mostly fails, one
// connection in sixteen still tries. One worker.
class ClientFirst {
 public:
  bool try_now() { return share_ >= kOften || ++skipped_ % 16 == 0; }
  void note(bool there) { share_ += there ? (256 - share_) / 8 : -share_ / 8; }

 private:
  static constexpr int kOften = 128;  // of 256
  int share_ = 128;
  unsigned skipped_ = 0;
};

// A TCP listener on one worker, and its sessions. Worker thread.
class TcpFrontend final : public StreamFrontend {
 public:
  TcpFrontend(WorkerContext& worker, FrontendPlan plan);
  // Ends what is still open.
  ~TcpFrontend() override;

  void update(FrontendPlan plan) override;
  void leave_server(const Server* server, CloseReason reason) override;
  void end_sessions(CloseReason reason) override;
  size_t session_count() const override { return sessions_.size(); }

  // For its sessions.
  ClientFirst& client_first() { return client_first_; }
  bool is_routed() const { return router_ != nullptr; }
  // Whether the name that a client asks for decides, and no handshake will tell it.
  bool peeks_name() const { return needs_name_ && !tls(); }
  // The name of the pool that a client belongs to; null if no route fits.
  const std::string* route(const std::string& server_name, const Address& client) const;
  // One of those that routes name.
  const Pool& pool_of_route(const std::string& name) const { return *plan().routed.at(name); }
  // `still_counts`: somebody else calls end_of_count().
  void session_ended(TcpSession& session, bool still_counts);

 private:
  void begin_session(Fd client, const Address& peer) override;
  void count_for_sources() override;

  void make_router();
  bool hashes_names() const;

  std::unique_ptr<const TcpRouter> router_;  // null without routes
  bool needs_name_ = false;                  // for a route, or for a pool's hash
  ClientFirst client_first_;
  IntrusiveList<TcpSession> sessions_;
};

}  // namespace lb
