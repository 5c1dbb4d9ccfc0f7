// SPDX-License-Identifier: MIT
#include "l4/tcp_frontend.h"

#include <utility>

namespace lb {

TcpFrontend::TcpFrontend(WorkerContext& worker, FrontendPlan plan)
    : StreamFrontend(worker, std::move(plan)) {
  listen();
}

TcpFrontend::~TcpFrontend() {
  TcpFrontend::end_sessions(CloseReason::shutting_down);
}

void TcpFrontend::update(FrontendPlan next) {
  bool other_timeouts = config().timeouts != next.config->timeouts;
  StreamFrontend::update(std::move(next));
  // Longer ones are found when the deadlines of the old ones come.
  if (other_timeouts) sessions_.for_each([](TcpSession& session) { session.timeouts_changed(); });
}

void TcpFrontend::begin_session(Fd client, const Address& peer) {
  auto session = std::make_unique<TcpSession>(*this, std::move(client), peer);
  sessions_.push_back(*session);
  session.release()->start();  // owned by sessions_ until session_ended()
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
