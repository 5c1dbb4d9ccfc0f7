// SPDX-License-Identifier: MIT
#include "l4/udp_frontend.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "common/log.h"
#include "common/random.h"
#include "l4/udp_listening.h"
#include "net/proxy_protocol.h"
#include "pool/connector.h"

namespace lb {

namespace {

Address peer_of(const Arrival& arrival) {
  return Address::from_sockaddr(&arrival.peer.base, arrival.peer.length());
}

Dropped dropped_for(CloseReason reason) {
  switch (reason) {
    case CloseReason::no_descriptors:
      return Dropped::no_socket;
    case CloseReason::connect_failed:
      return Dropped::unreachable;
    default:
      return Dropped::no_server;
  }
}

}  // namespace

UdpFrontend::UdpFrontend(WorkerContext& worker, FrontendPlan plan)
    : Frontend(worker, std::move(plan)),
      left_turn_(worker.loop, [this] { close_left_sockets(); }),
      table_(random_word()),
      newcomers_turn_(worker.loop, [this] { serve_newcomers(); }),
      leaving_turn_(worker.loop, [this] { leave_servers(); }),
      departed_turn_(worker.loop, [this] { end_departed(); }),
      secret_(random_word()) {
  look_at_servers();
  listen();
}

UdpFrontend::~UdpFrontend() {
  UdpFrontend::end_sessions(CloseReason::shutting_down);
}

void UdpFrontend::update(FrontendPlan next) {
  former_pools_[config().pool] = plan().pool;
  plan() = std::move(next);
  former_pools_.erase(config().pool);
  accepting_ = true;
  listen();
  look_at_servers();
  set_deadline();
}

void UdpFrontend::set_pools(const Pools& pools) {
  Frontend::set_pools(pools);
  if (table_.size() == 0) former_pools_.clear();
  for (auto former = former_pools_.begin(); former != former_pools_.end();) {
    auto today = pools.find(former->first);
    if (today == pools.end()) {
      former = former_pools_.erase(former);
    } else {
      former++->second = today->second;
    }
  }
  look_at_servers();
}

void UdpFrontend::listen() {
  std::vector<std::unique_ptr<Listening>> before;
  before.swap(listening_);
  std::move(left_.begin(), left_.end(), std::back_inserter(before));
  left_.clear();
  for (const auto& socket : plan().sockets) {
    auto same = std::find_if(before.begin(), before.end(), [&](const auto& listening) {
      return listening && listening->socket() == socket;
    });
    if (same == before.end()) {
      listening_.push_back(std::make_unique<Listening>(*this, socket, next_socket_++));
    } else {
      (*same)->left.reset();
      (*same)->read(true);
      listening_.push_back(std::move(*same));
    }
  }
  for (auto& gone : before) {
    if (gone) leave_socket(std::move(gone));
  }
  for (auto& gone : left_) gone->left->covered = is_covered(*gone);
}

void UdpFrontend::stop_accepting() {
  for (auto& listening : listening_) receive(*listening);
  accepting_ = false;
  plan().sockets.clear();
  set_deadline();
  release_if_done();
}

void UdpFrontend::hand_over_sockets(const Frontend& heir) {
  for (auto* sockets : {&listening_, &left_}) {
    for (auto& listening : *sockets) {
      bool is_mine = accepting_ && !listening->left;
      if (!is_mine && heir.reads(listening->socket())) listening->read(false);
    }
  }
}

void UdpFrontend::release_if_done() {
  if (!accepting_ && table_.size() == 0 && newcomers_.empty()) release_sockets();
}

void UdpFrontend::release_sockets() {
  worker().datagrams.writer.flush();
  left_turn_.stop();
  for (auto* sockets : {&listening_, &left_}) {
    for (auto& listening : *sockets) {
      listening->read(false);
      worker().loop.retire(std::move(listening));
    }
    sockets->clear();
  }
}

// ---- what comes in ----

void UdpFrontend::receive(Listening& listening) {
  reader_ = &worker().datagrams.reader();
  for (int batch = 0; batch < kBatchesPerTurn; ++batch) {
    size_t count = reader_->receive(listening.fd());
    for (size_t i = 0; i < count; ++i) take(listening, static_cast<uint16_t>(i));
    send_batches();
    if (count < DatagramReader::kBatch) break;
  }
  if (new_left_ < kNewPerTurn) worker().loop.at_end_of_turn(*this);
}

void UdpFrontend::take(Listening& listening, uint16_t index) {
  Arrival& arrival = reader_->at(index);
  FlowKey key = FlowKey::of(arrival, listening.number());
  if (config().proxy_protocol_trusted && header_follows(peer_of(arrival))) {
    return take_apart(listening, key, arrival);
  }
  UdpSession* session = table_.find(key);
  if (session != nullptr && !waits(*session) && session->batch_first == UdpSession::kNone &&
      session->must_move(worker().loop.now_ms())) {
    end(*session, CloseReason::server_down);
    session = nullptr;
  }
  if (session == nullptr) {
    if (auto reason = refuses(listening, peer_of(arrival))) return drop(*reason, arrival.count());
  }
  // Who is not let in takes nothing from the rate of those who are.
  if (plan().datagrams->any() && !passes_limits(key.source(), arrival)) return;
  if (session == nullptr) return take_new(listening, key, arrival);
  if (waits(*session)) {
    if (wait_in_line(key, listening, arrival)) session->queued_until = newcomers_.tail() - 1;
    return;
  }
  append(*session, index);
}

// Why a client without a session gets none.
std::optional<Dropped> UdpFrontend::refuses(const Listening& listening,
                                            const Address& client) const {
  if (!accepting_) return Dropped::draining;
  if (listening.left && !listening.left->covered) return Dropped::draining;
  if (!admits(client)) return Dropped::denied;
  return {};
}

// Of several that came as one, those that pass are the first.
bool UdpFrontend::passes_limits(uint64_t source, Arrival& arrival) {
  int64_t now_us = worker().loop.now_us();
  uint32_t count = arrival.count();
  uint32_t passed = 0;
  while (passed < count && plan().datagrams->take(source, now_us)) ++passed;
  if (passed == count) return true;
  drop(Dropped::over_rate, count - passed);
  arrival.size = passed * arrival.segment;
  if (passed <= 1) arrival.segment = 0;
  return passed > 0;
}

void UdpFrontend::take_apart(Listening& listening, const FlowKey& key, const Arrival& together) {
  uint32_t offset = 0;
  do {
    Arrival datagram = together;
    datagram.bytes += offset;
    datagram.size = together.segment == 0
                        ? together.size
                        : std::min<uint32_t>(together.segment, together.size - offset);
    datagram.segment = 0;
    offset += datagram.size;
    take_from_trusted(listening, key, datagram);
  } while (offset < together.size);
}

// A trusted balancer puts a header before a session's first datagram, or before each.
void UdpFrontend::take_from_trusted(Listening& listening, const FlowKey& key, Arrival& datagram) {
  UdpSession* session = table_.find(key);
  std::shared_ptr<const ProxyHeader> header;
  if (session != nullptr) header = session->header();
  std::string_view bytes(datagram.bytes, datagram.size);
  if (starts_as_proxy_v2(bytes)) {
    ProxyParse parse = parse_datagram_proxy_header(bytes);
    if (parse.state != ProxyParse::State::complete) return drop(Dropped::bad_header);
    if (session == nullptr) header = std::make_shared<const ProxyHeader>(parse.header);
    datagram.bytes += parse.length;
    datagram.size -= static_cast<uint32_t>(parse.length);
  } else if (session == nullptr) {
    return drop(Dropped::bad_header);
  }
  if (session != nullptr && session->must_move(worker().loop.now_ms())) {
    end(*session, CloseReason::server_down);
    session = nullptr;
  }
  const Address client = header && header->source.is_ip() ? header->source : peer_of(datagram);
  if (session == nullptr) {
    if (auto reason = refuses(listening, client)) return drop(*reason);
  }
  if (plan().datagrams->any() && !passes_limits(FlowKey::source_of(client), datagram)) return;
  if (session == nullptr) session = open(key, datagram, listening.socket(), std::move(header));
  Arrival* one = &datagram;
  if (session != nullptr) deliver(*session, &one, 1);
}

void UdpFrontend::take_new(Listening& listening, const FlowKey& key, Arrival& arrival) {
  if (new_left_ == 0 || !newcomers_.empty() || room_is_awaited()) {
    wait_in_line(key, listening, arrival);
    return;
  }
  --new_left_;
  UdpSession* session = open(key, arrival, listening.socket());
  Arrival* one = &arrival;
  if (session != nullptr) deliver(*session, &one, 1);
}

// Its earlier datagrams are still in the line, and order is kept.
bool UdpFrontend::waits(const UdpSession& session) const {
  return !newcomers_.empty() && session.queued_until >= newcomers_.head();
}

bool UdpFrontend::wait_in_line(const FlowKey& key, const Listening& listening,
                               const Arrival& arrival) {
  if (!newcomers_.push(key, listening.socket(), arrival)) {
    drop(Dropped::newcomers, arrival.count());
    return false;
  }
  if (!newcomers_turn_.pending()) newcomers_turn_.start(std::chrono::milliseconds(0));
  return true;
}

void UdpFrontend::serve_newcomers() {
  for (size_t i = 0; i < kNewPerTurn && !newcomers_.empty(); ++i) {
    if (room_is_awaited() && ++stalls_ <= kMostStalls) {
      return newcomers_turn_.start(std::chrono::milliseconds(1));
    }
    stalls_ = 0;
    UdpNewcomers::Item item = newcomers_.pop();
    UdpSession* session = table_.find(item.key);
    if (session == nullptr) {
      session = open(item.key, item.arrival, item.socket);
    }
    if (session == nullptr) continue;
    session->queued_until = newcomers_.tail() - 1;
    Arrival* one = &item.arrival;
    deliver(*session, &one, 1);
  }
  if (!newcomers_.empty()) newcomers_turn_.start(std::chrono::milliseconds(0));
  release_if_done();
}

// ---- what goes out ----

void UdpFrontend::append(UdpSession& session, uint16_t index) {
  next_in_batch_[index] = UdpSession::kNone;
  if (session.batch_first == UdpSession::kNone) {
    session.batch_first = index;
    in_batch_.push_back(&session);
  } else {
    next_in_batch_[session.batch_last] = index;
  }
  session.batch_last = index;
}

void UdpFrontend::send_batches() {
  // Sending to one session may end others, or send for them.
  for (size_t i = 0; i < in_batch_.size(); ++i) {
    if (in_batch_[i] != nullptr) send_batch(*in_batch_[i]);
  }
  in_batch_.clear();
}

void UdpFrontend::send_batch(UdpSession& session) {
  std::array<Arrival*, DatagramReader::kBatch> arrivals;
  size_t count = 0;
  for (uint16_t i = session.batch_first; i != UdpSession::kNone; i = next_in_batch_[i]) {
    arrivals[count++] = &reader_->at(i);
  }
  session.batch_first = UdpSession::kNone;
  std::replace(in_batch_.begin(), in_batch_.end(), &session, static_cast<UdpSession*>(nullptr));
  deliver(session, arrivals.data(), count);
}

void UdpFrontend::deliver(UdpSession& session, Arrival* const* arrivals, size_t count) {
  UdpSession::Sent sent = session.send(arrivals, count);
  if (sent.dropped > 0) drop(Dropped::not_sent, sent.dropped);
  if (sent.error != 0) deliver_again(session, arrivals, count, sent.done);
}

// The server is gone: what it was not sent goes to another one, once.
void UdpFrontend::deliver_again(UdpSession& session, Arrival* const* arrivals, size_t count,
                                uint32_t done) {
  FlowKey key = session.key();
  std::shared_ptr<const Fd> socket = session.socket();
  std::shared_ptr<const ProxyHeader> header = session.header();
  server_unreachable(session);
  UdpSession* next = nullptr;
  for (size_t i = 0; i < count; ++i) {
    Arrival left = *arrivals[i];
    uint32_t skipped = std::min(done, left.count());
    done -= skipped;
    if (skipped == left.count()) continue;
    left.bytes += skipped * left.segment;
    left.size -= skipped * left.segment;
    if (left.size <= left.segment) left.segment = 0;
    if (next == nullptr) next = open(key, left, socket, header);
    if (next == nullptr) return;
    Arrival* one = &left;
    UdpSession::Sent sent = next->send(&one, 1);
    if (sent.dropped > 0) drop(Dropped::not_sent, sent.dropped);
    if (sent.error != 0) return server_unreachable(*next);
  }
}

void UdpFrontend::server_unreachable(UdpSession& session) {
  drop(Dropped::unreachable);
  blame(*session.server(), pool(), worker());
  end(session, CloseReason::connect_failed);
}

// ---- sessions ----

UdpSession* UdpFrontend::open(const FlowKey& key, const Arrival& first,
                              std::shared_ptr<const Fd> socket,
                              std::shared_ptr<const ProxyHeader> header) {
  if (!take_room()) {
    drop(Dropped::newcomers, first.count());
    return nullptr;
  }
  auto session =
      std::make_unique<UdpSession>(*this, key, first, std::move(socket), std::move(header));
  if (auto refusal = session->begin()) {
    plan().limit->give_back();
    drop(dropped_for(*refusal), first.count());
    note_refused(*refusal);
    return nullptr;
  }
  table_.insert(key, session.get());
  standings_[0].push_back(*session);
  tell_age();
  worker().peers.flow_opened();
  if (deadline_ms() == 0) set_deadline();
  return session.release();  // owned by the table until end()
}

void UdpFrontend::end(UdpSession& session, CloseReason reason) {
  if (session.batch_first != UdpSession::kNone) {
    std::replace(in_batch_.begin(), in_batch_.end(), &session, static_cast<UdpSession*>(nullptr));
  }
  if (log::enabled(log::Level::debug)) {
    log::debug("listener {}: {} -> {}/{}: {}", config().name, session.client().to_string(),
               session.server()->pool(), session.server()->name(), to_string(reason));
  }
  cell().ended[static_cast<size_t>(reason)].add();
  if (access_log() != nullptr) session.write_access_log(reason);
  session.close();
  table_.erase(session.key());
  standings_[static_cast<size_t>(session.standing())].remove(session);
  tell_age();
  worker().loop.retire(std::unique_ptr<UdpSession>(&session));
  plan().limit->give_back();
  worker().peers.flow_closed();
  release_if_done();
}

// While it drains, a client that has been silent for a moment is taken to be done.
int64_t UdpFrontend::idle_ms() const {
  int64_t idle_ms = config().timeouts.idle.count();
  if (accepting_) return idle_ms;
  return idle_ms == 0 ? kDrainIdle_ms : std::min(idle_ms, kDrainIdle_ms);
}

void UdpFrontend::on_timeout() {
  int64_t past_ms = worker().loop.now_ms() - idle_ms();
  for (auto& sessions : standings_) {
    while (idle_ms() > 0 && !sessions.empty() && sessions.front().active_ms() <= past_ms) {
      end(sessions.front(), CloseReason::idle_timeout);
    }
  }
  set_deadline();
}

// Only ever too early: what is used meanwhile is found alive when it comes.
void UdpFrontend::set_deadline() {
  int64_t first_ms = INT64_MAX;
  for (auto& sessions : standings_) {
    if (!sessions.empty()) first_ms = std::min(first_ms, sessions.front().active_ms());
  }
  if (idle_ms() == 0 || first_ms == INT64_MAX) return worker().timeouts.clear(*this);
  worker().timeouts.set(*this, first_ms + idle_ms());
}

// ---- what is dropped ----

void UdpFrontend::drop(Dropped reason, uint64_t count) {
  tally_.drop(reason, count);
  worker().loop.at_end_of_turn(*this);
}

void UdpFrontend::end_turn() {
  new_left_ = kNewPerTurn;
  tally_.hand_over(*plan().datagrams, config().name, worker().loop.now_ms());
}

}  // namespace lb
