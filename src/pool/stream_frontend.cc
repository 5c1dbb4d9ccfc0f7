// SPDX-License-Identifier: MIT
#include "pool/stream_frontend.h"

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

StreamFrontend::StreamFrontend(WorkerContext& worker, FrontendPlan plan)
    : Frontend(worker, std::move(plan)), keepalive_(keepalive_of(config().keepalive)) {}

void StreamFrontend::update(FrontendPlan next) {
  bool counted = config().client_limits.connections_per_source.has_value();
  plan() = std::move(next);
  keepalive_ = keepalive_of(config().keepalive);
  if (!counted && config().client_limits.connections_per_source) count_for_sources();
  listen();
}

void StreamFrontend::listen() {
  std::vector<Listening> kept;
  for (const auto& socket : plan().sockets) {
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
  for (Listening& listening : listening_) {
    if (listening.acceptor) continue;
    listening.acceptor = std::make_unique<Acceptor>(
        worker().loop, listening.socket->get(), worker().index, worker().connections, *plan().limit,
        [this](Fd client, const Address& peer) { accepted(std::move(client), peer); },
        [this](Acceptor::Lack lack) { return worker().peers.end_idle(config().name, lack); });
  }
}

void StreamFrontend::resume_accepting() {
  for (Listening& listening : listening_) listening.acceptor->resume();
}

void StreamFrontend::stop_accepting() {
  for (Listening& listening : listening_) listening.acceptor->finish();
  listening_.clear();
  plan().sockets.clear();  // the last reference closes a socket
}

std::optional<CloseReason> StreamFrontend::refuses(const Address& client) const {
  if (!admits(client)) return CloseReason::denied;
  return plan().clients->refuses(client, worker().loop.now_us());
}

void StreamFrontend::accepted(Fd client, const Address& peer) {
  if (auto refused = header_follows(peer) ? std::nullopt : refuses(peer)) {
    set_reset_on_close(client.get());
    cell().connections.add();
    cell().ended[static_cast<size_t>(*refused)].add();
    give_back_counts();
    if (is_refusal(*refused)) note_refused(*refused);
    if (log::enabled(log::Level::debug)) {
      log::debug("listener {}: {} refused: {}", config().name, peer.to_string(),
                 to_string(*refused));
    }
    return;
  }
  if (worker().peers.pass_on(config().name, plan().limit, client, peer)) return;
  worker().peers.session_opened();
  cell().connections.add();
  begin_session(std::move(client), peer);
}

bool StreamFrontend::serve(Fd& client, const Address& peer) {
  cell().connections.add();
  begin_session(std::move(client), peer);
  return true;
}

void StreamFrontend::end_count() {
  worker().peers.session_closed();
  give_back_counts();
}

void StreamFrontend::give_back_counts() {
  plan().limit->give_back();
  worker().connections.give_back();
}

std::function<void()> StreamFrontend::end_of_count() const {
  return [&worker = worker(), limit = plan().limit] {
    worker.peers.session_closed();
    limit->give_back();
    worker.connections.give_back();
  };
}

}  // namespace lb
