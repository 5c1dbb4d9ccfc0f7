// SPDX-License-Identifier: MIT
#include "l7/exchange.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/uri_path.h"
#include "l7/grpc.h"
#include "l7/http_tools.h"
#include "l7/route_actions.h"
#include "l7/router.h"
#include "net/tls_session.h"
#include "pool/outlier.h"
#include "pool/source_key.h"

namespace lb {

namespace {

// What lasts that long was a use of its sticky entry until its end.
constexpr int64_t kLongWork_ms = 1'000;
// Of interim responses to one request: whoever sends more has no end in mind.
constexpr uint32_t kMostInterims = 100;

}  // namespace

Exchange::Exchange(HttpFrontend& frontend, ClientStream& client, const RequestOrigin& origin,
                   const RequestHead& head)
    : frontend_(frontend),
      client_(client),
      origin_(origin),
      routes_(frontend.routes()),
      memory_(frontend.tools().take_request()),
      request_(*memory_),
      began_us_(frontend.worker().loop.now_us()),
      active_ms_(began_us_ / 1000) {
  connector_.set_stops_at_lease();
  frontend_.cell().requests.add();
  request_.assign(head);
  RequestHead& request = request_.head;
  drop_forged_fields(request, origin_);
  source_ = client_address(request, origin_, frontend.config().http.trusted_proxies);
  if (request.authority.empty()) {  // HTTP/1.0
    request.authority =
        origin_.local.is_ip() ? request_.keep(origin_.local.to_string()) : "localhost";
  }
  asked_host_ = request.authority;
  asked_path_ = request.path;
  if (const Field* field = request.find(FieldId::referer)) asked_referer_ = field->value;
  if (const Field* field = request.find(FieldId::user_agent)) asked_agent_ = field->value;
}

// Over by then: its frontend may be gone already.
Exchange::~Exchange() = default;

void Exchange::begin(const BodyPart& part) {
  body_done_ = part.is_last;
  body_bytes_ = part.bytes.size();
  expects_100_ = request_.head.expects_continue && body_bytes_ == 0;
  frontend_.cell().bytes_in.add(body_bytes_);
  hold(part);
  if (!prepare()) return;
  is_grpc_ = pool().config().http.protocol == HttpProtocol::http2 && is_grpc(request_.head);
  follow(connector_.next(pool(), frontend_.worker(), key(pool())));
}

// Whether the request is to be sent to a server.
bool Exchange::prepare() {
  RequestHead& request = request_.head;
  SourceRates* rates = routes_->limits.by_source.get();
  if (rates != nullptr && refused_by_rate(rates, source_ip_key(source_))) return false;
  TokenCheck tokens(request, routes_->memory.get());
  tokens.expect(routes_->expected);
  if (!is_normalized(request.path)) {
    auto path = normalized_path(request.path);
    if (!path) {
      respond(400, ExchangeEnd::bad_request);
      return false;
    }
    asked_path_ = request.path = request_.keep(*path);
  }
  if (is_too_large(std::max(request.length, body_bytes_))) {
    respond(413, ExchangeEnd::bad_request);
    return false;
  }
  take_up_trace();
  auto found = routes_->router->find(request, source_, [&](size_t index) {
    return tokens.check(routes_->clients[index].rule) != nullptr;
  });
  if (!found) {
    respond(404, ExchangeEnd::no_route);
    return false;
  }
  route_index_ = *found;
  route_ = &routes_->router->route(route_index_);
  const VerifiedToken* token = tokens.check(routes_->clients[route_index_].rule);
  if (token == nullptr && needs_token(*route_)) {
    respond(401, ExchangeEnd::unauthorized);
    return false;
  }
  if (refused_by_route(token) || answer_by_route(*route_)) return false;
  WorkerContext& worker = frontend_.worker();
  set_forwarding_fields(request_, origin_, {worker.next_random(), worker.next_random()});
  pool_index_ = choose_share(*route_, source_);
  if (pool().is_sticky()) find_sticky_key(tokens);
  pass_claims_on(token);
  rewrite(*route_);
  if (route_->timeout.count() > 0) lower_deadline();
  return true;
}

void Exchange::take_up_trace() {
  const Tracing* tracing = frontend_.tracing();
  if (tracing == nullptr) return;
  WorkerContext& worker = frontend_.worker();
  trace_ = lb::take_up_trace(
      request_, tracing->sample_percent,
      {worker.next_random(), worker.next_random(), worker.next_random(), worker.next_random()});
}

bool Exchange::is_too_large(uint64_t body) const {
  const auto& limit = frontend_.config().http.limits.max_body_size;
  return limit && body > *limit;
}

void Exchange::rewrite(const HttpRoute& route) {
  RequestHead& request = request_.head;
  const HttpRewrite& rules = route.rewrite;
  bool has_path = request.path != "*";  // OPTIONS may ask for the server as a whole
  if (has_path && (!rules.strip_prefix.empty() || !rules.add_prefix.empty())) {
    request.path = request_.keep(rewritten_path(request.path, rules));
  }
  if (!rules.host.empty()) request.authority = rules.host;
  apply_header_rules(route.request_headers, request.fields);
}

// The newest state of the pool, as long as the route's names still mean the same.
const Pool& Exchange::pool() {
  const auto& newest = frontend_.routes();
  if (newest != routes_ && newest->router == routes_->router) routes_ = newest;
  return *routes_->pools[route_index_][pool_index_];
}

WorkKey Exchange::key(const Pool& pool) const {
  WorkKey key = sticky_key_ ? WorkKey(*sticky_key_) : WorkKey();
  bool is_by_balance = !sticky_key_ || sticky_key_->server;
  if (!is_by_balance || !pool.needs_key()) return key;
  const TlsSession* tls = client_.tls();
  std::string_view server_name = tls == nullptr ? std::string_view() : tls->server_name();
  key.hash =
      request_key(pool.config(), request_.head, {asked_host_, asked_path_, server_name}, source_);
  return key;
}

void Exchange::follow(Connector::Step step) {
  switch (step) {
    case Connector::Step::connecting:
      return begin_connect();
    case Connector::Step::leased:
      if (pool().config().send_proxy_protocol != SendProxyProtocol::off) {
        return follow(connector_.connect(pool(), frontend_.worker(), key(pool())));
      }
      if (auto kept = take_connection()) {
        lease_ = connector_.take_lease();
        return use(std::move(kept));
      }
      return follow(connector_.connect(pool(), frontend_.worker(), key(pool())));
    case Connector::Step::pause:
      state_ = State::pausing;
      pause_until_ms_ = now_ms() + connector_.pause_ms();
      return set_deadline();
    case Connector::Step::waiting:
      state_ = State::waiting;
      return set_deadline();
    case Connector::Step::full:
      return respond(503, ExchangeEnd::servers_full);
    case Connector::Step::no_socket:
      return respond(503, ExchangeEnd::no_socket);
    case Connector::Step::no_server:
      return respond(
          503, connector_.last_error() == 0 ? ExchangeEnd::no_server : ExchangeEnd::connect_failed);
  }
}

void Exchange::on_turn() {
  if (state_ == State::waiting) {
    follow(connector_.next(pool(), frontend_.worker(), key(pool())));
  }
}

// One that is there already.
std::unique_ptr<ServerStream> Exchange::take_connection() {
  const Server& server = *connector_.server();
  ServerConnections& servers = frontend_.tools().servers;
  if (pool().config().http.protocol == HttpProtocol::http2) {
    return servers.share(server, pool().tls());
  }
  bool must_live = !body_done_ || !is_idempotent(request_.head.method);
  return servers.take(server, pool().tls(), must_live);
}

void Exchange::begin_connect() {
  lease_ = connector_.take_lease();
  use(frontend_.open_connection(*lease_.server(), connector_.take_fd(), pool(), origin_));
}

void Exchange::use(std::unique_ptr<ServerStream> connection) {
  server_ = std::move(connection);
  was_reused_ = server_->is_reused();
  state_ = was_reused_ ? State::awaiting : State::connecting;
  connect_until_ms_ = now_ms() + pool().config().connect_timeout.count();
  stuck_ = false;
  queued_us_ = frontend_.worker().loop.now_us();
  connected_us_ = was_reused_ ? queued_us_ : 0;
  active_ms_ = now_ms();
  leased_from_ = routes_;
  request_sent_us_ = queued_us_;
  bool keep = pool().config().http.keep_alive_connections > 0;
  const Trailers* trailers = held_trailers_.empty() ? nullptr : &held_trailers_;
  server_->start(request_.head, keep, {held_, body_done_, trailers}, *this);
  if (int error = server_->failed_connect()) {
    close_server();
    return fail_attempt(error);
  }
  note_connected(false);
  bool may_repeat = is_held_on() && held_.size() <= kMostHeld;
  if (!may_repeat && server_->has_written()) {
    held_whole_ = false;  // it will not be sent again
    held_.clear();
  }
  if (body_paused_ && !server_->is_blocked()) {
    body_paused_ = false;
    client_.resume_body();
  }
  set_deadline();
}

// Whether the connection stands; who waits in line behind this one may go on then.
bool Exchange::note_connected(bool ask) {
  if (!server_->is_through(ask)) return false;
  if (state_ == State::connecting) {
    state_ = State::awaiting;
    connected_us_ = frontend_.worker().loop.now_us();
  }
  bool is_home = connector_.is_home();
  connector_.connected();
  if (sticky_key_ && !std::exchange(stuck_, true) && !is_home) {
    pool().stick(key(pool()), server_->server(), now_ms());
    note_place();
  }
  return true;
}

// Whether no server has seen anything of the request yet.
bool Exchange::is_unsent() const {
  return !server_ || !server_->has_written();
}

// Keeps a piece of the body for as long as the request may have to be sent (again): all of it until
// a server has seen a byte, which on_body() keeps bounded.
void Exchange::hold(const BodyPart& part) {
  if (!held_whole_) return;
  bool fits = held_.size() + part.bytes.size() <= kMostHeld;
  if (is_unsent() || (fits && is_held_on())) {
    held_.append(part.bytes);
    if (!part.is_last || part.trailers == nullptr) return;
    for (const Field& field : *part.trailers) {
      held_trailers_.push_back({request_.keep(field.name), request_.keep(field.value), field.id});
    }
    return;
  }
  held_whole_ = false;
  held_.clear();
  held_.shrink_to_fit();
}

void Exchange::on_body(const BodyPart& part) {
  if (state_ == State::over) return;
  body_bytes_ += part.size();
  frontend_.cell().bytes_in.add(part.size());
  if (is_too_large(body_bytes_) && state_ != State::upgraded)
    return refuse(413, ExchangeEnd::bad_request);
  body_done_ = part.is_last;
  expects_100_ = false;
  hold(part);
  if (server_) {
    active_ms_ = now_ms();
    server_->send_body(part);
    if (state_ == State::upgraded && server_->is_broken()) return cut(ExchangeEnd::server_cut);
  }
  // Without a server it is sent when there is one.
  bool is_full = is_unsent() && held_.size() >= kMostHeld;
  if (!body_done_ && (is_full || (server_ && server_->is_blocked()))) {
    body_paused_ = true;
    client_.pause_body();
  }
  if (state_ == State::upgraded && body_done_ && response_done_) finish(ExchangeEnd::ok);
}

Pipe* Exchange::request_pipe() {
  return server_ && !held_whole_ ? server_->body_pipe() : nullptr;
}

void Exchange::on_server_drained() {
  active_ms_ = now_ms();
  if (state_ == State::upgraded && server_->is_broken()) return cut(ExchangeEnd::server_cut);
  if (!body_paused_) return;
  body_paused_ = false;
  client_.resume_body();
}

void Exchange::client_drained() {
  active_ms_ = now_ms();
  if (server_) server_->resume();
}

void Exchange::client_gone(ExchangeEnd why) {
  if (state_ == State::over) return;
  close_server();
  finish(why);
}

void Exchange::on_interim(const ResponseHead& head) {
  if (++interims_ > kMostInterims) {
    close_server();
    return respond(502, ExchangeEnd::server_nonsense);
  }
  if (head.status == 100) expects_100_ = false;
  client_.send_interim(head);
  if (client_.is_gone()) return client_gone();
  if (client_.is_blocked()) server_->pause();
}

void Exchange::on_response(ResponseHead& head, const BodyPart& part) {
  active_ms_ = now_ms();
  note_connected(false);
  if (head.status >= 502 && head.status <= 504) {
    count_failure(server_->server(), pool().config(), frontend_.worker());
  } else {
    count_success(server_->server());
  }
  take_load_report(head);
  if (pool().is_sticky()) note_cookies(head);
  note_response_time();
  if (is_grpc_ && held_whole_ && says_unavailable(head, part) && repeat_call()) return;
  if (head.status == 101 && request_.head.upgrade.empty()) {
    close_server();
    return respond(502, ExchangeEnd::server_nonsense);
  }
  held_whole_ = false;
  held_.clear();
  status_ = head.status;
  responded_us_ = frontend_.worker().loop.now_us();
  response_bytes_ += part.bytes.size();
  frontend_.cell().bytes_out.add(part.bytes.size());
  head.is_last = false;  // which was said of the server's connection
  state_ = head.status == 101 ? State::upgraded : State::responding;
  apply_header_rules(route_->response_headers, head.fields);
  client_.send_response(head, part);
  if (state_ == State::upgraded) {
    keep_alive();
    body_done_ = false;
    body_paused_ = true;
  }
  passed_on(part);
  if (state_ == State::over) return;
  lower_deadline();
  if (state_ == State::upgraded) on_server_drained();  // the client may go on
}

void Exchange::on_response_body(const BodyPart& part) {
  active_ms_ = now_ms();
  response_bytes_ += part.size();
  frontend_.cell().bytes_out.add(part.size());
  client_.send_body(part);
  passed_on(part);
}

// Connections that last get TCP keepalive, short ones are spared the calls.
void Exchange::keep_alive() {
  if (const auto& keepalive = frontend_.keepalive()) server_->set_keepalive(*keepalive);
}

void Exchange::passed_on(const BodyPart& part) {
  if (client_.is_gone()) return client_gone();
  response_done_ |= part.is_last;
  if (response_done_ && (state_ != State::upgraded || body_done_)) return finish(ExchangeEnd::ok);
  if (client_.is_blocked() && !response_done_) server_->pause();
}

void Exchange::cut(ExchangeEnd why) {
  client_.cut();
  finish(why);
}

void Exchange::close_server() {
  if (!server_) return;
  server_->close();
  frontend_.worker().loop.retire(std::move(server_));
}

void Exchange::finish(ExchangeEnd why) {
  if (state_ == State::over) return;
  state_ = State::over;
  tell(why);
  connector_.stop();
  frontend_.worker().timeouts.clear(*this);
  bool was_long = now_ms() - began_ms() >= kLongWork_ms;
  if (stuck_ && lease_ && was_long) pool().note_use(key(pool()), now_ms());
  if (Server* server = lease_.server()) {
    if (request_sent_us_ != 0) server->cell(frontend_.worker().index).requests.add();
    if (server_) {
      ServerCell& cell = server->cell(frontend_.worker().index);
      cell.bytes_in.fetch_add(server_->bytes_sent(), std::memory_order_relaxed);
      cell.bytes_out.fetch_add(server_->bytes_received(), std::memory_order_relaxed);
    }
    if (server_ && server_->is_reusable() && server_stays()) {
      const HttpPoolConfig& rules = pool().config().http;
      if (!server_->is_reused()) keep_alive();
      frontend_.tools().servers.keep(std::move(server_), rules.keep_alive_connections,
                                     rules.keep_alive.count());
    }
  }
  close_server();
  lease_.reset();
  frontend_.tools().give_back(std::move(memory_));
  client_.exchange_done();
}

// Whether idle connections to its server will be forgotten in time, should the server go.
bool Exchange::server_stays() {
  if (frontend_.is_draining()) return false;
  const Pool& newest = pool();
  if (routes_ == leased_from_) return true;
  return std::any_of(newest.members().begin(), newest.members().end(),
                     [this](const Member& member) { return member.server == lease_.server(); });
}

}  // namespace lb
