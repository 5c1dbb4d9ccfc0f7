// SPDX-License-Identifier: MIT
#include "l4/tcp_frontend.h"

#include <algorithm>
#include <utility>

#include "common/log.h"

namespace lb {

std::optional<Keepalive> keepalive_of(const KeepaliveConfig& config) {
  if (!config.enabled) return std::nullopt;
  return Keepalive{.idle_s = static_cast<uint32_t>(config.idle.count() / 1000),
                   .interval_s = static_cast<uint32_t>(config.interval.count() / 1000),
                   .count = config.count};
}

TcpFrontend::TcpFrontend(WorkerContext& worker, TcpListenerPlan plan) : worker_(worker) {
  update(std::move(plan));
}

TcpFrontend::~TcpFrontend() {
  end_sessions(CloseReason::shutting_down, [](const TcpSession&) { return true; });
}

void TcpFrontend::update(TcpListenerPlan plan) {
  std::vector<Listening> kept;
  for (const auto& socket : plan.sockets) {
    auto same = std::find_if(listening_.begin(), listening_.end(),
                             [&](const Listening& l) { return l.socket == socket; });
    if (same != listening_.end()) {
      kept.push_back(std::move(*same));
      listening_.erase(same);
    } else {
      kept.push_back({socket, nullptr});
    }
  }
  for (Listening& gone : listening_) gone.acceptor->finish();
  listening_ = std::move(kept);
  bool other_timeouts = plan_.config && plan_.config->timeouts != plan.config->timeouts;
  plan_ = std::move(plan);
  // Longer ones are found when the deadlines of the old ones come.
  if (other_timeouts) sessions_.for_each([](TcpSession& session) { session.timeouts_changed(); });
  keepalive_ = keepalive_of(plan_.config->keepalive);
  for (Listening& listening : listening_) {
    if (listening.acceptor) continue;
    listening.acceptor = std::make_unique<Acceptor>(
        worker_.loop, listening.socket->get(), worker_.index, worker_.connections, *plan_.limit,
        [this](Fd client, const Address& peer) { accepted(std::move(client), peer); });
  }
}

void TcpFrontend::resume_accepting() {
  for (Listening& listening : listening_) listening.acceptor->resume();
}

void TcpFrontend::stop_accepting() {
  for (Listening& listening : listening_) listening.acceptor->finish();
  listening_.clear();
  plan_.sockets.clear();  // the last reference closes a socket
}

void TcpFrontend::accepted(Fd client, const Address& peer) {
  if (!header_follows(peer) && !admits(peer)) {
    set_reset_on_close(client.get());
    give_back_counts();
    log::debug("listener {}: {} denied", plan_.config->name, peer.to_string());
    return;
  }
  if (worker_.peers.pass_on(plan_.config->name, *plan_.limit, client, peer)) return;
  worker_.peers.session_opened();
  serve(std::move(client), peer);
}

void TcpFrontend::serve(Fd client, const Address& peer) {
  auto session = std::make_unique<TcpSession>(*this, std::move(client), peer);
  sessions_.push_back(*session);
  session.release()->start();  // owned by sessions_ until session_ended()
}

void TcpFrontend::note_refused(CloseReason reason) {
  ++refused_;
  int64_t now_ms = worker_.loop.now_ms();
  if (refused_warned_ms_ != 0 && now_ms - refused_warned_ms_ < kRefusedPause_ms) return;
  log::warning("listener {}: {} client{} refused since the last such line: {}", plan_.config->name,
               refused_, refused_ == 1 ? "" : "s", to_string(reason));
  refused_ = 0;
  refused_warned_ms_ = now_ms;
}

// A peer at a unix socket has no address that could be listed: the permissions of the socket say
// who it is.
bool TcpFrontend::header_follows(const Address& peer) const {
  const auto& trusted = plan_.config->proxy_protocol_trusted;
  return trusted && (peer.is_unix() || trusted->contains(peer));
}

bool TcpFrontend::admits(const Address& peer) const {
  if (plan_.config->deny.contains(peer)) return false;
  return !plan_.config->allow || peer.is_unix() || plan_.config->allow->contains(peer);
}

void TcpFrontend::leave_server(const Server* server, CloseReason reason) {
  sessions_.for_each([&](TcpSession& session) {
    if (session.server() == server) session.leave_server(reason);
  });
}

void TcpFrontend::session_ended(TcpSession& session, bool still_counts) {
  sessions_.remove(session);
  worker_.loop.retire(std::unique_ptr<TcpSession>(&session));
  if (still_counts) return;
  worker_.peers.session_closed();
  give_back_counts();
}

void TcpFrontend::give_back_counts() {
  plan_.limit->give_back();
  worker_.connections.give_back();
}

std::function<void()> TcpFrontend::end_of_count() const {
  return [&worker = worker_, limit = plan_.limit] {
    worker.peers.session_closed();
    limit->give_back();
    worker.connections.give_back();
  };
}

}  // namespace lb
