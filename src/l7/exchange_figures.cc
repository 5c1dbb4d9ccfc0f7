// SPDX-License-Identifier: MIT
// Exchange: what it leaves in figures and logs.
#include <algorithm>
#include <cstdint>

#include "l7/exchange.h"
#include "l7/http_frontend.h"

namespace lb {

void Exchange::note_response_time() {
  WorkerContext& worker = frontend_.worker();
  int64_t took_us = worker.loop.now_us() - request_sent_us_;
  auto us = static_cast<uint32_t>(std::clamp<int64_t>(took_us, 1, UINT32_MAX));
  Server& server = server_->server();
  server.cell(worker.index).note_response(us);
  server.cell(worker.index).requests.add();
  // All workers share this one, so only who decides by it pays for it.
  if (pool().config().balance == Balance::least_response_time) {
    server.latency.record(us, active_ms_);
  }
  request_sent_us_ = 0;
}

// The one that it has, or the last one that was tried if that is still there.
const Server* Exchange::last_server() {
  if (lease_ || connector_.last_server() == nullptr) return lease_.server();
  const auto& members = pool().members();
  auto found = std::find_if(members.begin(), members.end(), [this](const Member& member) {
    return member.server == connector_.last_server();
  });
  return found == members.end() ? nullptr : found->server;
}

void Exchange::tell(ExchangeEnd why) {
  bool has_pool = route_ != nullptr && !route_->pools.empty();
  auto since_began = [this](int64_t at_us) { return at_us == 0 ? -1 : at_us - began_us_; };
  frontend_.exchange_over({.client = source_,
                           .tls = client_.tls(),
                           .request = &request_.head,
                           .router = route_ == nullptr ? nullptr : routes_->router.get(),
                           .route = route_index_,
                           .host = asked_host_,
                           .path = asked_path_,
                           .referer = asked_referer_,
                           .user_agent = asked_agent_,
                           .pool = has_pool ? pool().config().name : std::string_view(),
                           .status = status_,
                           .end = why,
                           .request_bytes = body_bytes_,
                           .response_bytes = response_bytes_,
                           .server = last_server(),
                           .retries = connector_.retries(),
                           .reused = was_reused_,
                           .trace = trace_.is_sampled ? &trace_ : nullptr,
                           .queued_us = since_began(queued_us_),
                           .connected_us = since_began(connected_us_),
                           .responded_us = since_began(responded_us_),
                           .total_us = frontend_.worker().loop.now_us() - began_us_});
}

}  // namespace lb
