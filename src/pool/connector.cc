// SPDX-License-Identifier: MIT
#include "pool/connector.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/log.h"
#include "net/socket.h"

namespace lb {

namespace {

// Between two looks whether there is a socket again.
constexpr int64_t kSocketPause_ms = 100;

// Failures of this machine, not of the server.
bool is_local(int error) {
  return lacks_resources(error) || error == EADDRNOTAVAIL || error == EADDRINUSE;
}

// One of the pool's local addresses of the server's family, any of them in turn by chance.
const Address* choose_source(const std::vector<Address>& sources, int family, uint64_t random) {
  for (size_t i = 0; i < sources.size(); ++i) {
    const Address& source = sources[(random + i) % sources.size()];
    if (source.family() == family) return &source;
  }
  return nullptr;
}

}  // namespace

Connector::Step Connector::next(const Pool& pool, WorkerContext& worker, uint64_t key_hash) {
  if (!std::exchange(counted_, true)) {
    pool.budget().count_work(worker.index, worker.loop.now_ms());
  }
  want_.key_hash = key_hash;
  want_.random = worker.next_random();
  want_.now_ms = worker.loop.now_ms();
  auto lease = pool.acquire(want_);
  if (!lease) {
    if (lease.error() == NoServer::all_full) return Step::full;
    if (want_.tried.empty()) return Step::no_server;
    want_.tried.clear();
    return pause(pool, worker);
  }
  ++tries_;
  const Address& address = lease->server()->address();
  auto fd = connect_stream(
      address, choose_source(pool.config().source, address.family(), worker.next_random()),
      data_follows_);
  if (!fd) return failed(fd.error(), std::move(*lease), pool, worker, key_hash);
  lacking_since_ms_ = 0;
  fd_ = std::move(*fd);
  lease_ = std::move(*lease);
  return Step::connecting;
}

Connector::Step Connector::failed(int error, Lease lease, const Pool& pool, WorkerContext& worker,
                                  uint64_t key_hash) {
  Server& server = *lease.server();
  last_error_ = error;
  log::debug("server {}/{}: connect failed: {}", server.pool(), server.name(), strerror(error));
  if (error == EMFILE || error == ENFILE) {
    --tries_;  // no other server would help
    return wait_for_socket(pool, worker);
  }
  want_.tried.push_back(&server);
  if (!is_local(error)) blame(server, pool, worker);
  lease.reset();  // from here on the server may be freed
  if (may_retry(pool, worker)) return next(pool, worker, key_hash);
  return is_local(error) ? wait_for_socket(pool, worker) : Step::no_server;
}

// Others give theirs back: the client, which holds a descriptor already, is not to suffer for it.
Connector::Step Connector::wait_for_socket(const Pool& pool, WorkerContext& worker) {
  int64_t now_ms = worker.loop.now_ms();
  if (lacking_since_ms_ == 0) lacking_since_ms_ = now_ms;
  int64_t left_ms = lacking_since_ms_ + pool.config().connect_timeout.count() - now_ms;
  if (left_ms <= 0) return Step::no_socket;
  pause_ms_ = std::min(left_ms, kSocketPause_ms);
  return Step::pause;
}

// Whether there may be another try.
bool Connector::may_retry(const Pool& pool, WorkerContext& worker) {
  const RetriesConfig& rules = pool.config().retries;
  if (tries_ > rules.attempts) return false;
  return last_error_ == ECONNREFUSED ||
         pool.budget().take(rules.budget_percent, worker.loop.now_ms());
}

// Full jitter over the upper half: clients that failed together do not come back together.
Connector::Step Connector::pause(const Pool& pool, WorkerContext& worker) {
  const RetriesConfig& rules = pool.config().retries;
  int64_t full_ms = rules.backoff.count() << std::min(pauses_, 20u);
  full_ms = std::min(full_ms, int64_t{rules.max_backoff.count()});
  ++pauses_;
  auto half_ms = static_cast<uint64_t>(full_ms / 2);
  pause_ms_ = full_ms - static_cast<int64_t>(worker.next_random() % (half_ms + 1));
  return Step::pause;
}

void Connector::blame(Server& server, const Pool& pool, WorkerContext& worker) {
  server.cell(worker.index).connect_failures.fetch_add(1, std::memory_order_relaxed);
  int64_t now_ms = worker.loop.now_ms();
  int64_t until_ms = now_ms + pool.config().health_check.fast_interval.count();
  int64_t before_ms = server.avoid_until_ms.exchange(until_ms, std::memory_order_relaxed);
  if (before_ms <= now_ms) worker.control.connect_failed(server);
}

}  // namespace lb
