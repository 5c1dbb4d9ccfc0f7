// SPDX-License-Identifier: MIT
#include "pool/connector.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/log.h"
#include "net/socket.h"
#include "pool/outlier.h"

namespace lb {

namespace {

// Between two looks whether there is a socket again.
constexpr int64_t kSocketPause_ms = 100;

// Failures of this machine, not of the server.
bool is_local(int error) {
  return lacks_resources(error) || error == EADDRNOTAVAIL || error == EADDRINUSE;
}

}  // namespace

const Address* choose_source(const std::vector<Address>& sources, int family, uint64_t random) {
  for (size_t i = 0; i < sources.size(); ++i) {
    const Address& source = sources[(random + i) % sources.size()];
    if (source.family() == family) return &source;
  }
  return nullptr;
}

Connector::Step Connector::next(const Pool& pool, WorkerContext& worker, const WorkKey& key) {
  if (!std::exchange(counted_, true)) {
    pool.budget().count_work(worker.index, worker.loop.now_ms());
  }
  if (waits_elsewhere(pool)) stop();
  if (awaits_store(pool, worker, key)) return Step::waiting;
  if (is_newcomer(pool)) {
    if (!bind(pool, worker, key)) return Step::no_server;
    bool others_hold = pool.config().hold.count() > 0 && pool.line().is_holding();
    return join(pool.usable() == 0 || others_hold, pool, worker, key);
  }
  return pick(pool, worker, key);
}

// A reload has given its listener another pool.
bool Connector::waits_elsewhere(const Pool& pool) const {
  return place_ != nullptr && &place_->line() != &pool.line();
}

// Whether others have been waiting longer for what it wants.
bool Connector::is_newcomer(const Pool& pool) const {
  return owner_ != nullptr && place_ == nullptr && tries_ == 0 && pool.line().waiting() > 0;
}

// Whether it is too early to pick a server, until look_ms(): another balancer may know whose the
// work is.
bool Connector::awaits_store(const Pool& pool, WorkerContext& worker, const WorkKey& key) {
  want_.now_ms = worker.loop.now_ms();
  if (!question_) {
    if (has_asked_ || owner_ == nullptr) return false;
    StickyStore* store = pool.store_to_ask(key, want_);
    if (store == nullptr) return false;
    has_asked_ = true;
    question_ = std::make_shared<StoreQuestion>(*owner_, worker.mailbox);
    question_until_ms_ = want_.now_ms + store->timeout_ms();
    store->ask(*key.sticky, question_);
  }
  look_ms_ = question_until_ms_;
  if (!question_->is_answered() && want_.now_ms < question_until_ms_) return true;
  forget_question();
  return false;
}

void Connector::forget_question() {
  if (question_) std::exchange(question_, nullptr)->forget();
}

Connector::Step Connector::pick(const Pool& pool, WorkerContext& worker, const WorkKey& key) {
  if (awaits_store(pool, worker, key)) return Step::waiting;
  if (!bind(pool, worker, key)) {
    stop();
    return Step::no_server;
  }
  want_.key_hash = key.hash;
  want_.random = worker.next_random();
  auto lease = pool.acquire(want_);
  if (!lease) return no_lease(lease.error(), pool, worker, key);
  if (place_) place_->line().begin_try(*place_);
  try_again_ms_ = 0;
  ++tries_;
  ++begun_;
  lease_ = std::move(*lease);
  last_server_ = lease_.server();
  return stops_at_lease_ ? Step::leased : connect(pool, worker, key);
}

Connector::Step Connector::connect(const Pool& pool, WorkerContext& worker, const WorkKey& key) {
  const Address& address = lease_.server()->address();
  auto fd = connect_stream(
      address, choose_source(pool.config().source, address.family(), worker.next_random()),
      data_follows_);
  if (!fd) return failed(fd.error(), std::move(lease_), pool, worker, key);
  lacking_since_ms_ = 0;
  fd_ = std::move(*fd);
  return Step::connecting;
}

// False: the server that the work belongs to is gone, and it must not have another.
bool Connector::bind(const Pool& pool, WorkerContext& worker, const WorkKey& key) {
  want_.now_ms = worker.loop.now_ms();
  want_.sticky_hash.reset();
  want_.only = nullptr;
  return !key.sticky || !pool.is_sticky() || pool.bind(*key.sticky, want_);
}

Connector::Step Connector::no_lease(NoServer why, const Pool& pool, WorkerContext& worker,
                                    const WorkKey& key) {
  if (!want_.tried.empty() && place_) {
    // One try at each server is what a turn is for.
    try_again_ms_ = want_.now_ms + next_pause_ms(pool, worker);
  } else if (!want_.tried.empty() && why == NoServer::none_usable) {
    want_.tried.clear();
    return pause(pool, worker);
  }
  return wait(why == NoServer::none_usable, pool, worker, key);
}

Connector::Step Connector::wait(bool holding, const Pool& pool, WorkerContext& worker,
                                const WorkKey& key) {
  if (!place_) return join(holding, pool, worker, key);
  if (place_->wanted() != want_.only) return wait_for_another(holding, pool, worker, key);
  place_->line().wait_on(*place_, holding);
  int64_t now_ms = worker.loop.now_ms();
  if (holding_ && !holding) waits_since_ms_ = now_ms;  // the wait for room begins here
  holding_ = holding;
  tries_ = 0;
  want_.tried.clear();
  if (now_ms >= deadline_ms(pool)) return give_up();
  look_ms_ = deadline_ms(pool);
  if (try_again_ms_ != 0) look_ms_ = std::min(look_ms_, try_again_ms_);
  return Step::waiting;
}

// What it waited for is no longer what it wants: it joins anew, and has not waited less.
Connector::Step Connector::wait_for_another(bool holding, const Pool& pool, WorkerContext& worker,
                                            const WorkKey& key) {
  int64_t since_ms = waits_since_ms_;
  stop();
  Step step = join(holding, pool, worker, key);
  if (step != Step::waiting) return step;
  waits_since_ms_ = since_ms;
  look_ms_ = deadline_ms(pool);
  return step;
}

Connector::Step Connector::join(bool holding, const Pool& pool, WorkerContext& worker,
                                const WorkKey& key) {
  holding_ = holding;
  waits_since_ms_ = worker.loop.now_ms();
  bool may_wait = owner_ != nullptr && deadline_ms(pool) > waits_since_ms_;
  if (may_wait) {
    place_ = pool.line().join(*owner_, worker.mailbox, want_.only, pool.config().queue.size);
  }
  if (!place_) return give_up();
  if (holding && last_error_ != 0) {
    // Every server was tried just now.
    try_again_ms_ = waits_since_ms_ + next_pause_ms(pool, worker);
    return wait(true, pool, worker, key);
  }
  look_ms_ = deadline_ms(pool);
  if (!pool.line().is_next(*place_)) return Step::waiting;
  // What was given back before it stood in the line nobody was called for.
  return pick(pool, worker, key);
}

Connector::Step Connector::look(const Pool& pool, WorkerContext& worker, const WorkKey& key) {
  if (question_ || waits_elsewhere(pool)) return next(pool, worker, key);
  int64_t now_ms = worker.loop.now_ms();
  if (try_again_ms_ != 0 && now_ms >= try_again_ms_) {
    try_again_ms_ = 0;
    place_->line().nudge();
  }
  // Who has waited for room may meanwhile be waiting for any server at all.
  if (!holding_ && (pool.usable() == 0 || pool.line().is_holding())) holding_ = true;
  look_ms_ = deadline_ms(pool);
  if (now_ms >= look_ms_) return give_up();
  return Step::waiting;
}

int64_t Connector::deadline_ms(const Pool& pool) const {
  const PoolConfig& config = pool.config();
  // Where there is no hold, those who wait in the queue go on doing so.
  bool holds = holding_ && (config.hold.count() > 0 || !place_);
  return waits_since_ms_ + (holds ? config.hold : config.queue.timeout).count();
}

Connector::Step Connector::give_up() {
  stop();
  return holding_ ? Step::no_server : Step::full;
}

void Connector::leave(bool served) {
  if (!place_) return;
  place_->line().leave(*place_, served);
  place_.reset();
}

void Connector::connected() {
  leave(true);
  want_ = {};  // the memory of long sessions is dear
}

Connector::Step Connector::connect_again(Lease lease, const Pool& pool, WorkerContext& worker,
                                         const WorkKey& key) {
  lease_ = std::move(lease);
  return connect(pool, worker, key);
}

Connector::Step Connector::broken(Lease lease, const Pool& pool, WorkerContext& worker,
                                  const WorkKey& key) {
  count_failure(*lease.server(), pool.config(), worker);
  if (!may_go_elsewhere(pool, worker)) return Step::no_server;
  return elsewhere(std::move(lease), pool, worker, key);
}

bool Connector::may_go_elsewhere(const Pool& pool, WorkerContext& worker) {
  last_error_ = ECONNRESET;
  return may_retry(pool, worker);
}

Connector::Step Connector::elsewhere(Lease lease, const Pool& pool, WorkerContext& worker,
                                     const WorkKey& key) {
  want_.tried.push_back(lease.server());
  lease.reset();
  return pick(pool, worker, key);
}

Connector::Step Connector::failed(int error, Lease lease, const Pool& pool, WorkerContext& worker,
                                  const WorkKey& key) {
  Server& server = *lease.server();
  last_error_ = error;
  want_.only = nullptr;
  log::debug("server {}/{}: connect failed: {}", server.pool(), server.name(), strerror(error));
  if (error == EMFILE || error == ENFILE) {
    --tries_;  // no other server would help
    --begun_;
    return wait_for_socket(pool, worker);
  }
  want_.tried.push_back(&server);
  if (!is_local(error)) blame(server, pool, worker);
  lease.drop();  // from here on the server may be freed
  if (may_retry(pool, worker)) return pick(pool, worker, key);
  if (is_local(error)) return wait_for_socket(pool, worker);
  if (place_) try_again_ms_ = worker.loop.now_ms() + next_pause_ms(pool, worker);
  return wait(true, pool, worker, key);
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

Connector::Step Connector::pause(const Pool& pool, WorkerContext& worker) {
  pause_ms_ = next_pause_ms(pool, worker);
  return Step::pause;
}

// Full jitter over the upper half: clients that failed together do not come back together.
int64_t Connector::next_pause_ms(const Pool& pool, WorkerContext& worker) {
  const RetriesConfig& rules = pool.config().retries;
  int64_t full_ms = rules.backoff.count() << std::min(pauses_, 20u);
  full_ms = std::min(full_ms, int64_t{rules.max_backoff.count()});
  ++pauses_;
  auto half_ms = static_cast<uint64_t>(full_ms / 2);
  return full_ms - static_cast<int64_t>(worker.next_random() % (half_ms + 1));
}

void blame(Server& server, const Pool& pool, WorkerContext& worker) {
  server.cell(worker.index).connect_failures.fetch_add(1, std::memory_order_relaxed);
  int64_t now_ms = worker.loop.now_ms();
  int64_t until_ms = now_ms + pool.config().health_check.fast_interval.count();
  int64_t before_ms = server.avoid_until_ms.exchange(until_ms, std::memory_order_relaxed);
  if (before_ms <= now_ms) worker.control.connect_failed(server);
  count_failure(server, pool.config(), worker);
}

}  // namespace lb
