// SPDX-License-Identifier: MIT
// How long each part of an exchange may take.
#include <algorithm>
#include <cerrno>

#include "l7/exchange.h"
#include "l7/http_tools.h"
#include "l7/router.h"
#include "pool/outlier.h"

namespace lb {

namespace {

constexpr int64_t kNever = INT64_MAX;

}  // namespace

void Exchange::on_timeout() {
  int64_t now = now_ms();
  if (route_ != nullptr && route_->timeout.count() > 0 && state_ != State::upgraded &&
      now >= began_ms() + route_->timeout.count()) {
    if (has_response()) return cut(ExchangeEnd::route_timeout);
    close_server();
    return respond(504, ExchangeEnd::route_timeout);
  }
  if (state_ == State::pausing && now >= pause_until_ms_) {
    return follow(connector_.next(pool(), frontend_.worker(), key(pool())));
  }
  if (state_ == State::waiting && now >= connector_.look_ms()) {
    return follow(connector_.look(pool(), frontend_.worker(), key(pool())));
  }
  if (state_ == State::connecting) {
    if (!note_connected(true) && now >= connect_until_ms_) {
      close_server();
      return fail_attempt(ETIMEDOUT);
    }
  }
  if (now < next_deadline_ms()) return set_deadline();
  if (state_ == State::upgraded) {
    client_.cut();
    return finish(ExchangeEnd::idle);
  }
  if (has_response()) return cut(ExchangeEnd::response_timeout);
  if (server_) count_failure(server_->server(), pool().config(), frontend_.worker());
  close_server();
  respond(504, ExchangeEnd::response_timeout);
}

void Exchange::set_deadline() {
  int64_t deadline_ms = next_deadline_ms();
  if (deadline_ms == kNever) {
    frontend_.worker().timeouts.clear(*this);
  } else {
    frontend_.worker().timeouts.set(*this, deadline_ms);
  }
}

void Exchange::lower_deadline() {
  int64_t deadline_ms = next_deadline_ms();
  if (deadline_ms != kNever) frontend_.worker().timeouts.set_at_most(*this, deadline_ms);
}

int64_t Exchange::next_deadline_ms() const {
  int64_t deadline_ms = kNever;
  auto consider = [&deadline_ms](int64_t since_ms, milliseconds limit) {
    if (limit.count() > 0) deadline_ms = std::min(deadline_ms, since_ms + limit.count());
  };
  if (state_ != State::upgraded && route_ != nullptr) consider(began_ms(), route_->timeout);
  const HttpPoolConfig* rules = nullptr;
  if (route_ != nullptr && !route_->pools.empty()) {
    rules = &routes_->pools[route_index_][pool_index_]->config().http;
  }
  switch (state_) {
    case State::pausing:
      deadline_ms = std::min(deadline_ms, pause_until_ms_);
      break;
    case State::waiting:
      deadline_ms = std::min(deadline_ms, connector_.look_ms());
      break;
    case State::connecting:
      deadline_ms = std::min(deadline_ms, connect_until_ms_);
      break;
    case State::awaiting:
      // While the client still sends, or takes nothing, its own time limits hold.
      consider(awaits_body() || client_.is_blocked() ? now_ms() : active_ms_,
               rules->response_timeout);
      break;
    case State::responding:
      consider(client_.is_blocked() ? now_ms() : active_ms_, rules->response_body_timeout);
      break;
    case State::upgraded:
      consider(active_ms_, frontend_.config().timeouts.idle);
      break;
    case State::choosing:
    case State::over:
      break;
  }
  return deadline_ms;
}

}  // namespace lb
