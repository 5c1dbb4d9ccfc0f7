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

std::unique_ptr<ServerStream> ServerConnections::share(const Server& server,
                                                       const TlsClientContext* context,
                                                       bool must_be_new) {
  auto found = shared_.find(&server);
  if (found == shared_.end()) return nullptr;
  for (auto& connection : found->second) {
    if (connection->context() != context) {
      connection->leave();
    } else if (connection->has_room() && !(must_be_new && connection->is_through(false))) {
      return connection->open();
    }
  }
  return nullptr;
}

std::unique_ptr<ServerStream> ServerConnections::add(
    std::unique_ptr<Http2ServerConnection> connection) {
  Http2ServerConnection& added = *connection;
  auto& list = shared_[&added.server()];
  if (!list.empty()) added.expect_streams(list.back()->most_streams());
  list.push_back(std::move(connection));
  return added.open();
}

void ServerConnections::drop(Http2ServerConnection& connection) {
  auto list = shared_.find(&connection.server());
  if (list == shared_.end()) return;
  auto found = std::find_if(list->second.begin(), list->second.end(),
                            [&](const auto& one) { return one.get() == &connection; });
  if (found == list->second.end()) return;
  auto dropped = std::move(*found);
  list->second.erase(found);
  if (list->second.empty()) shared_.erase(list);
  dropped->close();
  tools_.worker.loop.retire(std::move(dropped));
}

// Only one of HTTP/1.1 is ever to be kept.
void ServerConnections::keep(std::unique_ptr<ServerStream> used, size_t limit,
                             int64_t keep_alive_ms) {
  std::unique_ptr<ServerConnection> connection(static_cast<ServerConnection*>(used.release()));
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
  if (auto shared = shared_.find(server); shared != shared_.end()) {
    for (auto& connection : shared->second) connection->leave();
  }
  end_idle(server);  // the others end with their last streams
}

void ServerConnections::end_idle() {
  std::vector<const Server*> all;
  for (const auto& [server, list] : idle_) all.push_back(server);
  for (const auto& [server, list] : shared_) all.push_back(server);
  for (const Server* server : all) end_idle(server);
}

void ServerConnections::end_idle(const Server* server) {
  if (auto shared = shared_.find(server); shared != shared_.end()) {
    std::erase_if(shared->second, [this](std::unique_ptr<Http2ServerConnection>& connection) {
      if (!connection->is_idle()) return false;
      connection->close();
      tools_.worker.loop.retire(std::move(connection));
      return true;
    });
    if (shared->second.empty()) shared_.erase(shared);
  }
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
  for (const auto& [server, list] : shared_) {
    if (!stays(server)) gone.push_back(server);
  }
  for (const Server* server : gone) forget(server);
}

size_t ServerConnections::idle(const Server& server) const {
  auto found = idle_.find(&server);
  return found == idle_.end() ? 0 : found->second.size();
}

}  // namespace lb
