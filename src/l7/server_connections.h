// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "l7/http2_server_connection.h"
#include "l7/server_connection.h"

namespace lb {

// The connections of one worker to servers, by server: those of HTTP/1.1 while they are idle, the
// most recently used first, and those of HTTP/2, which exchanges share. A server that is gone must
// be forgotten before it is freed. Worker thread.
class ServerConnections {
 public:
  explicit ServerConnections(HttpTools& tools) : tools_(tools) {}

  // An idle connection to this server, or none. Those made with other TLS (null: in clear), which a
  // reload has changed, are closed.
  // `must_live`: what is sent on it cannot be repeated, so it is looked at once more.
  std::unique_ptr<ServerConnection> take(const Server& server, const TlsClientContext* context,
                                         bool must_live);
  // A stream of one of HTTP/2 that has room, or none. `must_be_new`: its connect is under way.
  std::unique_ptr<ServerStream> share(const Server& server, const TlsClientContext* context,
                                      bool must_be_new = false);
  // The first stream of a new one.
  std::unique_ptr<ServerStream> add(std::unique_ptr<Http2ServerConnection> connection);
  // Keeps a connection that is_reusable() unless the server has `limit` already; the oldest goes
  // then.
  void keep(std::unique_ptr<ServerStream> used, size_t limit, int64_t keep_alive_ms);
  // An idle connection has ended, or a shared one.
  void drop(ServerConnection& connection);
  void drop(Http2ServerConnection& connection);
  void forget(const Server* server);
  // Those that are of use to nobody at the moment.
  void end_idle();
  // Forgets the servers for which `stays(server)` does not hold.
  void forget_unless(const std::function<bool(const Server*)>& stays);
  bool empty() const { return idle_.empty() && shared_.empty(); }
  size_t idle(const Server& server) const;

 private:
  void end_idle(const Server* server);

  HttpTools& tools_;
  // The most recent one last.
  std::unordered_map<const Server*, std::vector<std::unique_ptr<ServerConnection>>> idle_;
  std::unordered_map<const Server*, std::vector<std::unique_ptr<Http2ServerConnection>>> shared_;
};

}  // namespace lb
