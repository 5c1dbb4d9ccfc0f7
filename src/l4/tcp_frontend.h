// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/intrusive_list.h"
#include "config/config.h"
#include "l4/tcp_session.h"
#include "net/acceptor.h"
#include "net/connection_limit.h"
#include "net/socket.h"
#include "pool/pool.h"
#include "pool/worker_context.h"

namespace lb {

// A TCP listener as one worker needs it; part of a snapshot.
struct TcpListenerPlan {
  std::shared_ptr<const ListenerConfig> config;
  std::shared_ptr<const Pool> pool;
  std::shared_ptr<ConnectionLimit> limit;          // of the listener, all workers
  std::vector<std::shared_ptr<const Fd>> sockets;  // this worker's listening ones
};

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

// A TCP listener on one worker: accepts, checks lists, and owns the sessions. Worker thread.
class TcpFrontend {
 public:
  TcpFrontend(WorkerContext& worker, TcpListenerPlan plan);
  // Ends what is still open.
  ~TcpFrontend();
  TcpFrontend(const TcpFrontend&) = delete;
  TcpFrontend& operator=(const TcpFrontend&) = delete;

  // A newer snapshot: open sessions go on, under the new settings; unchanged sockets are not
  // touched.
  void update(TcpListenerPlan plan);
  // The pool of a newer snapshot, for a listener that is gone and still has sessions.
  void set_pool(std::shared_ptr<const Pool> pool) { plan_.pool = std::move(pool); }
  // There may be room under a connection limit again.
  void resume_accepting();
  // Serves what is queued at the sockets, then lets go of them.
  void stop_accepting();
  // A connection that was counted and accepted here or by another worker.
  void serve(Fd client, const Address& peer);

  // No session stays with this server, which went down or was removed.
  void leave_server(const Server* server, CloseReason reason);
  // Ends the sessions for which `matches(session)` holds.
  template <typename Matches>
  void end_sessions(CloseReason reason, Matches matches) {
    sessions_.for_each([&](TcpSession& session) {
      if (matches(session)) session.end(reason);
    });
  }
  size_t session_count() const { return sessions_.size(); }

  // For its sessions.
  WorkerContext& worker() { return worker_; }
  const Pool& pool() const { return *plan_.pool; }
  const ListenerConfig& config() const { return *plan_.config; }
  const std::optional<Keepalive>& keepalive() const { return keepalive_; }
  ClientFirst& client_first() { return client_first_; }
  // Whether a connection from this peer begins with a PROXY header.
  bool header_follows(const Address& peer) const;
  bool admits(const Address& peer) const;
  // A client went away unserved; warns at most every ten seconds.
  void note_refused(CloseReason reason);
  // Ends the counting of one connection when it is called, be it after this is gone.
  std::function<void()> end_of_count() const;
  // `still_counts`: somebody else calls end_of_count().
  void session_ended(TcpSession& session, bool still_counts);

 private:
  static constexpr int64_t kRefusedPause_ms = 10'000;

  struct Listening {
    std::shared_ptr<const Fd> socket;
    std::unique_ptr<Acceptor> acceptor;
  };

  void accepted(Fd client, const Address& peer);
  void give_back_counts();

  WorkerContext& worker_;
  TcpListenerPlan plan_;
  std::optional<Keepalive> keepalive_;
  ClientFirst client_first_;
  uint64_t refused_ = 0;  // since the last warning
  int64_t refused_warned_ms_ = 0;
  std::vector<Listening> listening_;
  IntrusiveList<TcpSession> sessions_;
};

// What keepalive a configuration asks for, if any.
std::optional<Keepalive> keepalive_of(const KeepaliveConfig& config);

}  // namespace lb
