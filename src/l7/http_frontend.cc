// SPDX-License-Identifier: MIT
#include "l7/http_frontend.h"

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "common/log.h"
#include "l7/http2_session.h"
#include "l7/http_session.h"
#include "l7/span.h"
#include "net/proxy_protocol.h"

namespace lb {

namespace {

// Of so many sessions the longest idle one goes: looking through thousands would take too long, and
// a list in the order of their last requests would cost every request.
constexpr size_t kLookedAt = 32;
// Whoever was served less long ago may just be asking again.
constexpr int64_t kIdleEnough_ms = 200;

// Next time others are looked at: these go to the list's end.
template <typename Session>
bool end_longest_idle(IntrusiveList<Session>& sessions) {
  Session* longest = nullptr;
  for (size_t i = std::min(kLookedAt, sessions.size()); i > 0; --i) {
    Session& session = sessions.front();
    sessions.remove(session);
    sessions.push_back(session);
    if (session.idle_ms() < kIdleEnough_ms) continue;
    if (longest == nullptr || session.idle_ms() > longest->idle_ms()) longest = &session;
  }
  if (longest == nullptr || longest->has_spoken()) return false;
  longest->end(CloseReason::no_room);
  return true;
}

}  // namespace

HttpFrontend::HttpFrontend(HttpTools& tools, FrontendPlan first)
    : StreamFrontend(tools.worker, std::move(first)), tools_(tools), meter_(cell()) {
  take_routes(plan().protocol_plan);
  listen();
}

HttpFrontend::~HttpFrontend() {
  end_sessions(CloseReason::shutting_down);
}

// The exchanges' references count in a block of this worker's own: one that all workers share would
// be the most contended line of memory of all.
void HttpFrontend::take_routes(std::shared_ptr<const ProtocolPlan> protocol_plan) {
  const auto* table = static_cast<const RouteTable*>(protocol_plan.get());
  auto owner = std::make_shared<std::shared_ptr<const ProtocolPlan>>(std::move(protocol_plan));
  routes_ = std::shared_ptr<const RouteTable>(std::move(owner), table);
  meter_.begin(routes_->router);
}

void HttpFrontend::update(FrontendPlan next) {
  bool other_timeouts = config().timeouts != next.config->timeouts;
  draining_since_ms_ = 0;
  StreamFrontend::update(std::move(next));
  take_routes(plan().protocol_plan);
  if (!other_timeouts) return;
  sessions_.for_each([](HttpSession& session) { session.timeouts_changed(); });
  http2_sessions_.for_each([](Http2Session& session) { session.timeouts_changed(); });
}

void HttpFrontend::count_for_sources() {
  sessions_.for_each([](HttpSession& session) { session.count_for_source(); });
  http2_sessions_.for_each([](Http2Session& session) { session.count_for_source(); });
}

void HttpFrontend::set_pools(const Pools& pools) {
  auto table = std::make_shared<RouteTable>(*routes_);
  for (auto& shares : table->pools) {
    for (auto& pool : shares) {
      auto newest = pools.find(pool->config().name);
      if (newest == pools.end() || newest->second->members().empty()) continue;
      const PoolConfig& rules = newest->second->config();
      Balance balance = pool->config().balance;
      LoadMetric metric = pool->config().load_metric;
      bool same = rules.balance == balance && rules.load_metric == metric;
      pool = same ? newest->second : newest->second->with_balance(balance, metric);
    }
  }
  take_routes(std::move(table));
}

void HttpFrontend::stop_accepting() {
  draining_since_ms_ = worker().loop.now_ms();
  StreamFrontend::stop_accepting();
  sessions_.for_each([](HttpSession& session) { session.timeouts_changed(); });
  http2_sessions_.for_each([](Http2Session& session) { session.timeouts_changed(); });
}

void HttpFrontend::leave_server(const Server* server, CloseReason) {
  tools_.servers.forget(server);
  sessions_.for_each([&](HttpSession& session) { session.leave_server(server); });
  http2_sessions_.for_each([&](Http2Session& session) { session.leave_server(server); });
}

void HttpFrontend::end_sessions(CloseReason reason) {
  sessions_.for_each([&](HttpSession& session) { session.end(reason); });
  http2_sessions_.for_each([&](Http2Session& session) { session.end(reason); });
}

size_t HttpFrontend::end_idle(size_t most) {
  size_t ended = 0;
  while (ended < most && (end_longest_idle(sessions_) || end_longest_idle(http2_sessions_))) {
    ++ended;
  }
  return ended;
}

std::unique_ptr<ServerStream> HttpFrontend::open_connection(Server& server, Fd fd, const Pool& pool,
                                                            const RequestOrigin& origin) {
  auto tls = pool.open_tls(fd.get(), server);
  Stream stream(std::move(fd), std::move(tls));
  const HttpPoolConfig& rules = pool.config().http;
  std::string preface;
  switch (pool.config().send_proxy_protocol) {
    case SendProxyProtocol::v1:
      preface = proxy_header_v1(origin.peer, origin.local);
      break;
    case SendProxyProtocol::off:
      break;
    default:
      preface = proxy_header_v2(origin.peer, origin.local);
      break;
  }
  if (rules.protocol == HttpProtocol::http2) {
    Http2ServerConnection::Idle idle{rules.keep_alive_connections > 0, rules.keep_alive.count()};
    auto shared = std::make_unique<Http2ServerConnection>(tools_, server, std::move(stream),
                                                          pool.tls(), idle);
    if (!preface.empty()) shared->set_preface(preface);
    if (const auto& asked = keepalive()) shared->set_keepalive(*asked);
    return tools_.servers.add(std::move(shared));
  }
  auto connection =
      std::make_unique<ServerConnection>(tools_, server, std::move(stream), pool.tls());
  if (!preface.empty()) connection->set_preface(std::move(preface));
  return connection;
}

void HttpFrontend::exchange_over(const ExchangeRecord& record) {
  meter_.count(record);
  if (const AccessLog* log = access_log()) log->write(worker().index, access_record(record));
  if (record.trace != nullptr && tracing() != nullptr) {
    tracing()->sink->write(worker().index, span_of(record, config().name, unix_ms() * 1'000'000));
  }
  if (!log::enabled(log::Level::debug)) return;
  std::string_view method = record.request == nullptr ? "-" : record.request->method_name;
  log::debug("listener {}: {}: {} {}{}: {} {}, {} bytes, {} us", config().name,
             record.client.to_string(), method, record.host, record.path, record.status,
             to_string(record.end), record.response_bytes, record.total_us);
}

void HttpFrontend::begin_session(Fd client, const Address& peer) {
  auto session = std::make_unique<HttpSession>(*this, std::move(client), peer);
  sessions_.push_back(*session);
  session.release()->start();  // owned by sessions_ until session_ended()
}

void HttpFrontend::session_ended(HttpSession& session, bool still_counts) {
  sessions_.remove(session);
  worker().loop.retire(std::unique_ptr<HttpSession>(&session));
  if (!still_counts) end_count();
}

void HttpFrontend::session_ended(Http2Session& session) {
  http2_sessions_.remove(session);
  worker().loop.retire(std::unique_ptr<Http2Session>(&session));
  end_count();
}

void HttpFrontend::change_to_http2(HttpSession& session, Stream stream, Http2Client client,
                                   std::string_view received) {
  auto next = std::make_unique<Http2Session>(*this, std::move(stream), std::move(client));
  sessions_.remove(session);
  worker().loop.retire(std::unique_ptr<HttpSession>(&session));
  http2_sessions_.push_back(*next);
  next.release()->start(received);  // owned by http2_sessions_ until session_ended()
}

}  // namespace lb
