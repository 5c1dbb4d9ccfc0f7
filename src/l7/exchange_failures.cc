// SPDX-License-Identifier: MIT
// What becomes of a request that its server fails.
#include <utility>

#include "common/log.h"
#include "l7/exchange.h"
#include "l7/http_tools.h"
#include "pool/outlier.h"

namespace lb {

namespace {

// So often a server may refuse a request at once and be asked again as if nothing had happened.
constexpr uint32_t kMostRefusals = 3;

}  // namespace

void Exchange::on_server_failed(ServerFailure failure, int error) {
  bool was_reused = server_->is_reused();
  bool repeatable = is_repeatable();
  frontend_.tools().worker.loop.retire(std::move(server_));
  if (has_response()) return cut(ExchangeEnd::server_cut);
  if (failure == ServerFailure::connect) return fail_attempt(error);
  if (failure == ServerFailure::nonsense) {
    log::debug("server {}/{}: its answer is no HTTP", lease_.server()->pool(),
               lease_.server()->name());
    return respond(502, ExchangeEnd::server_nonsense);
  }
  if (!repeatable) {
    // A kept connection that had ended says nothing of its server.
    if (failure == ServerFailure::silent && !was_reused) {
      count_failure(*lease_.server(), pool().config(), frontend_.worker());
    }
    return respond(502, ExchangeEnd::server_failed);
  }
  if (failure == ServerFailure::refused) {
    if (refusals_++ < kMostRefusals) return ask_again(false);
    if (!repeat_call()) respond(502, ExchangeEnd::server_failed);
    return;
  }
  if (was_reused && failure == ServerFailure::silent && !tried_stale_) {
    tried_stale_ = true;
    return ask_again(true);
  }
  Connector::Step step =
      connector_.broken(std::move(lease_), pool(), frontend_.worker(), key(pool()));
  if (step == Connector::Step::no_server) return respond(502, ExchangeEnd::server_failed);
  follow(step);
}

// The same server, which is no new try. `anew`: its other connections may have ended like this one.
void Exchange::ask_again(bool anew) {
  if (pool().config().http.protocol == HttpProtocol::http2) {
    auto shared = frontend_.tools().servers.share(*lease_.server(), pool().tls(), anew);
    if (shared) return use(std::move(shared));
  }
  follow(connector_.connect_again(std::move(lease_), pool(), frontend_.worker(), key(pool())));
}

// An interim response and a part of a head are something of a response, too.
bool Exchange::is_repeatable() const {
  if (!held_whole_ || server_->bytes_received() > 0) return false;
  return !server_->has_written() || is_idempotent(request_.head.method);
}

void Exchange::fail_attempt(int error) {
  if (!held_whole_) return respond(502, ExchangeEnd::server_failed);
  follow(connector_.failed(error, std::move(lease_), pool(), frontend_.worker(), key(pool())));
}

void Exchange::leave_server() {
  if (!server_) return;
  if (has_response()) return cut(ExchangeEnd::server_gone);
  bool repeatable = is_repeatable();
  close_server();
  if (!repeatable) return respond(502, ExchangeEnd::server_gone);
  Connector::Step step =
      connector_.broken(std::move(lease_), pool(), frontend_.worker(), key(pool()));
  follow(step);
}

}  // namespace lb
