// SPDX-License-Identifier: MIT
#include "l7/server_connections.h"

#include <algorithm>
#include <utility>

#include "l7/http_tools.h"

namespace lb {

std::unique_ptr<ServerConnection> ServerConnections::take(const Server& server,
                                                          const TlsClientContext* context,
                                                          bool must_live) {
  auto found = idle_.find(&server);
  if (found == idle_.end()) return nullptr;
  auto& list = found->second;
  while (!list.empty()) {
    auto connection = std::move(list.back());
    list.pop_back();
    bool fits = connection->context() == context;
    bool must_look = must_live || connection->is_doubtful();
    if (fits && (!must_look || connection->is_silent())) return connection;
    connection->close();
    tools_.worker.loop.retire(std::move(connection));
  }
  return nullptr;
}

void ServerConnections::keep(std::unique_ptr<ServerConnection> connection, size_t limit,
                             int64_t keep_alive_ms) {
  if (limit == 0) {
    connection->close();
    tools_.worker.loop.retire(std::move(connection));
    return;
  }
  auto& list = idle_[&connection->server()];
  if (list.size() >= limit) {
    auto oldest = std::move(list.front());
    list.erase(list.begin());
    oldest->close();
    tools_.worker.loop.retire(std::move(oldest));
  }
  connection->park(keep_alive_ms);
  list.push_back(std::move(connection));
}

void ServerConnections::drop(ServerConnection& connection) {
  auto& list = idle_[&connection.server()];
  auto found = std::find_if(list.begin(), list.end(),
                            [&](const auto& one) { return one.get() == &connection; });
  if (found == list.end()) return;
  connection.close();
  tools_.worker.loop.retire(std::move(*found));
  list.erase(found);
}

void ServerConnections::forget(const Server* server) {
  auto found = idle_.find(server);
  if (found == idle_.end()) return;
  for (auto& connection : found->second) {
    connection->close();
    tools_.worker.loop.retire(std::move(connection));
  }
  idle_.erase(found);
}

void ServerConnections::forget_unless(const std::function<bool(const Server*)>& stays) {
  std::vector<const Server*> gone;
  for (const auto& [server, list] : idle_) {
    if (!stays(server)) gone.push_back(server);
  }
  for (const Server* server : gone) forget(server);
}

size_t ServerConnections::idle(const Server& server) const {
  auto found = idle_.find(&server);
  return found == idle_.end() ? 0 : found->second.size();
}

}  // namespace lb
