// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/address.h"
#include "common/fd.h"
#include "config/config.h"
#include "net/connection_limit.h"
#include "net/rate_limit.h"
#include "net/tls_server_context.h"
#include "pool/access_log.h"
#include "pool/client_limits.h"
#include "pool/close_reason.h"
#include "pool/listener_stats.h"
#include "pool/pool.h"
#include "pool/tracing.h"
#include "pool/worker_context.h"

namespace lb {

using Pools = std::map<std::string, std::shared_ptr<const Pool>>;

// What only one protocol's frontends need to know of a snapshot.
struct ProtocolPlan {
  virtual ~ProtocolPlan() = default;
};

// A listener as one worker needs it; part of a snapshot.
struct FrontendPlan {
  std::shared_ptr<const ListenerConfig> config;
  std::shared_ptr<const Pool> pool;
  std::shared_ptr<ConnectionLimit> limit;                 // of the listener, all workers
  std::vector<std::shared_ptr<const Fd>> sockets;         // this worker's
  std::shared_ptr<const TlsServerContext> tls = nullptr;  // null: clients come in clear
  Pools routed = {};  // those that its routes name; `pool` is null then
  std::shared_ptr<DatagramLimits> datagrams = nullptr;  // udp: of the listener, all workers
  std::shared_ptr<ClientLimits> clients = nullptr;      // tcp and http: likewise
  milliseconds drain_timeout{0};                        // runtime.drain_timeout
  std::shared_ptr<const ProtocolPlan> protocol_plan = nullptr;
  std::shared_ptr<const AccessLog> access_log = nullptr;  // null: none
  std::shared_ptr<const Tracing> tracing = nullptr;       // null: off
  std::shared_ptr<ListenerStats> stats = nullptr;  // always there but while it is being filled
};

// A listener on one worker, of whatever protocol: takes in what clients send and owns their
// sessions. What a worker asks of it goes through here; bytes never do. A listener whose protocol
// changes is another one. Worker thread.
class Frontend {
 public:
  virtual ~Frontend() = default;
  Frontend(const Frontend&) = delete;
  Frontend& operator=(const Frontend&) = delete;

  // A newer snapshot: open sessions go on, under the new settings; unchanged sockets are not
  // touched.
  virtual void update(FrontendPlan plan) = 0;
  // All pools of a newer snapshot: sessions may be with servers of another than today's. For a
  // listener that is gone, too; a pool that is gone then stays as it was.
  virtual void set_pools(const Pools& pools);
  // There may be room under a connection limit again.
  virtual void resume_accepting() {}
  // Serves what is queued at the sockets, then lets go of them.
  virtual void stop_accepting() = 0;
  // Whether it still answers from sockets that are its listener's no more.
  virtual bool has_left_sockets() const { return false; }
  // After update() or stop_accepting(): what was left here and is the other listener's now is read
  // there alone.
  virtual void hand_over_sockets(const Frontend& /*heir*/) {}
  // Takes over a connection that another worker counted and accepted. False: there are none in
  // this protocol, and `client` is the caller's still.
  virtual bool serve(Fd& /*client*/, const Address& /*peer*/) { return false; }

  // No session stays with this server, which went down or was removed.
  virtual void leave_server(const Server* server, CloseReason reason) = 0;
  virtual void end_sessions(CloseReason reason) = 0;
  // Another worker has opened a session too many: ends one, if there are still too many.
  virtual void make_room() {}
  // Ends up to so many connections on which nothing has been under way for a while, of which only
  // some protocols have any; returns how many.
  virtual size_t end_idle(size_t /*most*/) { return 0; }
  virtual bool has_idle() const { return false; }
  virtual size_t session_count() const = 0;

  WorkerContext& worker() const { return worker_; }
  const Pool& pool() const { return *plan_.pool; }
  const ListenerConfig& config() const { return *plan_.config; }
  // Where this worker counts what its clients do.
  ListenerCell& cell() const { return plan_.stats->cell(worker_.index); }
  const std::shared_ptr<const TlsServerContext>& tls() const { return plan_.tls; }
  bool reads(const std::shared_ptr<const Fd>& socket) const;
  // Null where none is kept.
  const AccessLog* access_log() const { return plan_.access_log.get(); }
  // Null where requests are not traced.
  const Tracing* tracing() const { return plan_.tracing.get(); }
  // Whether what comes from this peer begins with a PROXY header.
  bool header_follows(const Address& peer) const;
  // Whether allow and deny let this client in.
  bool admits(const Address& client) const;
  // A client went away unserved; warns at most every ten seconds.
  void note_refused(CloseReason reason);

 protected:
  Frontend(WorkerContext& worker, FrontendPlan plan) : worker_(worker), plan_(std::move(plan)) {}

  FrontendPlan& plan() { return plan_; }
  const FrontendPlan& plan() const { return plan_; }

 private:
  static constexpr int64_t kRefusedPause_ms = 10'000;

  WorkerContext& worker_;
  FrontendPlan plan_;
  uint64_t refused_ = 0;  // since the last warning
  int64_t refused_warned_ms_ = 0;
};

}  // namespace lb
