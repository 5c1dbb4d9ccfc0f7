// SPDX-License-Identifier: MIT
#include "l4/tcp_frontend.h"

#include <algorithm>
#include <utility>

#include "pool/source_key.h"

namespace lb {

TcpFrontend::TcpFrontend(WorkerContext& worker, FrontendPlan plan)
    : StreamFrontend(worker, std::move(plan)) {
  make_router();
  needs_name_ = (router_ && router_->needs_name()) || hashes_names();
  listen();
}

TcpFrontend::~TcpFrontend() {
  TcpFrontend::end_sessions(CloseReason::shutting_down);
}

void TcpFrontend::update(FrontendPlan next) {
  bool other_timeouts = config().timeouts != next.config->timeouts;
  bool other_config = next.config != plan().config;
  // Who was led to a pool that is named no more goes on there.
  sessions_.for_each([&](const TcpSession& session) {
    const std::string& name = session.route();
    if (!name.empty()) {
      next.routed.emplace(name, plan().routed.at(name));
    } else if (!next.pool) {
      next.pool = plan().pool;
    }
  });
  StreamFrontend::update(std::move(next));
  if (other_config) make_router();
  needs_name_ = (router_ && router_->needs_name()) || hashes_names();
  // Longer ones are found when the deadlines of the old ones come.
  if (other_timeouts) sessions_.for_each([](TcpSession& session) { session.timeouts_changed(); });
}

void TcpFrontend::make_router() {
  router_.reset();
  if (!config().routes.empty()) router_ = std::make_unique<const TcpRouter>(plan().config);
}

bool TcpFrontend::hashes_names() const {
  auto is_by_name = [](const Pool& pool) {
    return pool.config().balance == Balance::hash && pool.config().hash_on == HashOn::sni;
  };
  return (plan().pool && is_by_name(*plan().pool)) ||
         std::any_of(plan().routed.begin(), plan().routed.end(),
                     [&](const auto& named) { return is_by_name(*named.second); });
}

const std::string* TcpFrontend::route(const std::string& server_name, const Address& client) const {
  return router_->find(server_name, client, source_ip_key(client));
}

void TcpFrontend::begin_session(Fd client, const Address& peer) {
  auto session = std::make_unique<TcpSession>(*this, std::move(client), peer);
  sessions_.push_back(*session);
  session.release()->start();  // owned by sessions_ until session_ended()
}

void TcpFrontend::count_for_sources() {
  sessions_.for_each([](TcpSession& session) { session.count_for_source(); });
}

void TcpFrontend::leave_server(const Server* server, CloseReason reason) {
  sessions_.for_each([&](TcpSession& session) {
    if (session.server() == server) session.leave_server(reason);
  });
}

void TcpFrontend::end_sessions(CloseReason reason) {
  sessions_.for_each([&](TcpSession& session) { session.end(reason); });
}

void TcpFrontend::session_ended(TcpSession& session, bool still_counts) {
  sessions_.remove(session);
  worker().loop.retire(std::unique_ptr<TcpSession>(&session));
  if (!still_counts) end_count();
}

}  // namespace lb
