// SPDX-License-Identifier: MIT
#include "l4/udp_session.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "l4/udp_frontend.h"
#include "net/socket.h"
#include "pool/connector.h"
#include "pool/outlier.h"
#include "pool/source_key.h"

namespace lb {

namespace {

constexpr int kMostServers = 3;  // tried before a datagram is given up
constexpr int kMostPorts = 8;    // that turn out to be another process's
constexpr uint8_t kSingleTurns = 32;
constexpr size_t kBurst = 2;
constexpr size_t kFullBurst = 32;
constexpr uint8_t kManyAfter = 8;
// An answer that has not come for so long is counted as one of that length.
constexpr int64_t kSilence_us = 1'000'000;

}  // namespace

UdpSession::UdpSession(UdpFrontend& frontend, const FlowKey& key, const Arrival& first,
                       std::shared_ptr<const Fd> socket, std::shared_ptr<const ProxyHeader> header)
    : frontend_(frontend),
      key_(key),
      peer_(first.peer),
      local_(first.local),
      socket_(std::move(socket)),
      header_(std::move(header)),
      began_ms_(frontend.worker().loop.now_ms()),
      active_ms_(began_ms_) {}

UdpSession::~UdpSession() {
  close();
}

void UdpSession::close() {
  // The kernel forgets what it watches with the descriptor, and a call about a bad one is cheap.
  fd_.reset();  // before its port is another's
  readable_.disarm();
  if (port_.number != 0) ports_->give_back(port_);
  port_ = {};
  lease_.reset();
}

Address UdpSession::client() const {
  if (header_ && header_->source.is_ip()) return header_->source;
  return Address::from_sockaddr(&peer_.base, peer_.length());
}

std::optional<CloseReason> UdpSession::begin() {
  const Pool& pool = frontend_.pool();
  WorkerContext& worker = frontend_.worker();
  Address from = client();
  Want want;
  want.now_ms = worker.loop.now_ms();
  want.key_hash =
      pool.config().hash_on == HashOn::source_ip_port && pool.config().balance == Balance::hash
          ? source_ip_port_key(from)
          : source_ip_key(from);
  WorkKey key;
  const auto& sticky = pool.config().sticky;
  if (sticky && sticky->by == StickyBy::source_ip) {
    key = WorkKey(StickyKey{source_ip_key(from)});
  }
  std::optional<CloseReason> refusal;
  for (int tries = 0; tries < kMostServers; ++tries) {
    want.random = worker.next_random();
    if (key.sticky && !pool.bind(*key.sticky, want)) return CloseReason::no_server;
    auto lease = pool.acquire(want);
    if (!lease) {
      if (refusal) return refusal;
      return lease.error() == NoServer::all_full ? CloseReason::servers_full
                                                 : CloseReason::no_server;
    }
    Server& server = *lease->server();
    refusal = open(server);
    if (!refusal) {
      lease_ = std::move(*lease);
      pool.stick(key, server, want.now_ms);
      known_avoid_ms_ = server.avoid_until_ms.load(std::memory_order_relaxed);
      server.cell(worker.index).connections.fetch_add(1, std::memory_order_relaxed);
      server.cell(worker.index).requests.add();
      frontend_.cell().connections.add();
      frontend_.cell().requests.add();
      readable_.bind<&UdpSession::on_readable>(worker.loop, fd_.get(), IoEvent::kRead, this);
      readable_.arm();
      return {};
    }
    want.tried.push_back(&server);
  }
  return refusal;
}

std::optional<CloseReason> UdpSession::open(Server& server) {
  const Pool& pool = frontend_.pool();
  WorkerContext& worker = frontend_.worker();
  int family = server.address().family();
  const Address* chosen = choose_source(pool.config().source, family, worker.next_random());
  Address source = family == AF_INET6 ? Address::any_v6(0) : Address::any_v4(0);
  if (chosen != nullptr) source = *chosen;
  ports_ = worker.ports.towards(server.address());
  for (int tries = 0; tries < kMostPorts; ++tries) {
    port_ = ports_->take(source, frontend_.next_secret());
    if (port_.number == 0) return CloseReason::no_descriptors;
    int error = connect(server, source);
    if (error == 0) return {};
    ports_->give_back(port_);
    port_ = {};
    if (error == EADDRINUSE) continue;
    if (!is_unreachable(error)) return CloseReason::no_descriptors;
    blame(server, pool, worker);
    return CloseReason::connect_failed;
  }
  return CloseReason::no_descriptors;
}

int UdpSession::connect(Server& server, const Address& source) {
  Address local = source;
  local.set_port(port_.number);
  auto fd = connect_datagrams(server.address(), local);
  if (!fd) return fd.error();
  fd_ = std::move(*fd);
  return 0;
}

bool UdpSession::must_move(int64_t now_ms) const {
  if (moving_) return true;
  int64_t avoid_ms = lease_.server()->avoid_until_ms.load(std::memory_order_relaxed);
  return avoid_ms > now_ms && avoid_ms != known_avoid_ms_;
}

Address UdpSession::destination() const {
  if (header_ && header_->source.is_ip()) return header_->destination;
  Address listening = local_address(socket_->get());
  if (local_.family == 0) return listening;
  Endpoint4or6 to;
  if (local_.family == AF_INET) {
    to.v4.sin_family = AF_INET;
    to.v4.sin_port = htons(listening.port());
    std::memcpy(&to.v4.sin_addr, &local_.address, sizeof(to.v4.sin_addr));
  } else {
    to.v6.sin6_family = AF_INET6;
    to.v6.sin6_port = htons(listening.port());
    to.v6.sin6_addr = local_.address;
  }
  return Address::from_sockaddr(&to.base, to.length());
}

// The usual case, for which a plain send is the cheapest call there is.
UdpSession::Sent UdpSession::send_one(const Arrival& arrival) {
  // EMSGSIZE may be the late word of a router about an earlier one.
  for (int tries = 0; tries < 2; ++tries) {
    ssize_t done = ::send(fd_.get(), arrival.bytes, arrival.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (done >= 0) return {.done = 1};
    if (errno != EMSGSIZE) break;
  }
  if (is_unreachable(errno)) return {.error = errno};
  return {.done = 1, .dropped = 1};
}

UdpSession::Sent UdpSession::send(Arrival* const* arrivals, size_t count) {
  uint32_t datagrams = 0;
  uint64_t bytes = 0;
  for (size_t i = 0; i < count; ++i) {
    datagrams += arrivals[i]->count();
    bytes += arrivals[i]->size;
  }
  SendProxyProtocol mode = frontend_.pool().config().send_proxy_protocol;
  bool each = mode == SendProxyProtocol::v2_each;
  bool first = mode == SendProxyProtocol::v2 && !header_sent_;
  Sent sent;
  if (count == 1 && arrivals[0]->segment == 0 && !each && !first) {
    sent = send_one(*arrivals[0]);
  } else {
    std::optional<DatagramProxyHeader> header;
    if (each || first) header.emplace(client(), destination());
    DatagramRun batch(fd_.get());
    for (size_t i = 0; i < count && sent.error == 0; ++i) {
      Arrival& arrival = *arrivals[i];
      uint32_t offset = 0;
      // With a header before each, or the first, of several that came as one they go one by one.
      while (sent.error == 0 && (each || first) && offset < std::max(arrival.size, 1U)) {
        uint32_t size = arrival.segment == 0
                            ? arrival.size
                            : std::min<uint32_t>(arrival.segment, arrival.size - offset);
        sent.error = batch.add(header->bytes(), arrival.bytes + offset, size, 0);
        offset += std::max(size, 1U);
        first = false;
      }
      if (sent.error != 0 || (arrival.size > 0 ? offset >= arrival.size : offset > 0)) continue;
      uint32_t left = arrival.size - offset;
      uint16_t segment = left > arrival.segment ? arrival.segment : uint16_t{0};
      sent.error = batch.add({}, arrival.bytes + offset, left, segment);
    }
    if (sent.error == 0) sent.error = batch.flush();
    sent.done = batch.done();
    sent.dropped = batch.dropped();
  }
  if (sent.done > 0) header_sent_ = true;
  Server& server = *lease_.server();
  ServerCell& cell = server.cell(frontend_.worker().index);
  cell.bytes_in.fetch_add(bytes, std::memory_order_relaxed);
  frontend_.cell().bytes_in.add(bytes);
  bytes_in_ += bytes;
  note_request(datagrams);
  return sent;
}

void UdpSession::note_request(uint32_t count) {
  EventLoop& loop = frontend_.worker().loop;
  active_ms_ = loop.now_ms();
  requests_ += count;
  frontend_.cell().datagrams_in.add(count);
  if (standing_ == UdpStanding::answered) {
    frontend_.promote(*this, UdpStanding::established, standing_);
  } else {
    frontend_.touched(*this);
  }
  const Pool& pool = frontend_.pool();
  if (pool.config().balance != Balance::least_response_time) return;
  int64_t now_us = loop.now_us();
  if (timing_us_ != 0 && now_us - timing_us_ > kSilence_us) {
    lease_.server()->latency.record(kSilence_us, loop.now_ms());
    timing_us_ = 0;
  }
  if (timing_us_ == 0) timing_us_ = now_us;
}

void UdpSession::note_reply(uint32_t count, uint32_t size) {
  EventLoop& loop = frontend_.worker().loop;
  active_ms_ = loop.now_ms();
  replies_ += count;
  bytes_out_ += size;
  Server& server = *lease_.server();
  count_success(server);
  server.cell(frontend_.worker().index).bytes_out.fetch_add(size, std::memory_order_relaxed);
  frontend_.cell().datagrams_out.add(count);
  frontend_.cell().bytes_out.add(size);
  if (timing_us_ != 0) {
    auto took_us =
        static_cast<uint32_t>(std::clamp<int64_t>(loop.now_us() - timing_us_, 1, kSilence_us));
    server.latency.record(took_us, loop.now_ms());
    timing_us_ = 0;
  }
  if (standing_ == UdpStanding::unanswered) {
    answered_ms_ = active_ms_;
    frontend_.promote(*this, UdpStanding::answered, standing_);
  } else {
    frontend_.touched(*this);
  }
}

// One reply a turn, by the cheapest call there is, while they come singly; now and then, and for as
// long as it finds several, all that are there.
void UdpSession::on_readable() {
  if (single_ > 0 || standing_ == UdpStanding::unanswered) {
    if (single_ > 0) --single_;
    take_one();
  } else {
    take_many();
  }
}

void UdpSession::take_one() {
  DatagramWriter& writer = frontend_.worker().datagrams.writer;
  uint16_t segment = 0;
  int64_t got = receive(writer.room(), segment);
  if (got < 0) {
    if (is_unreachable(static_cast<int>(-got))) frontend_.server_unreachable(*this);
    return;
  }
  auto size = static_cast<uint32_t>(got);
  writer.add(socket_->get(), peer_, local_, size, segment, frontend_.not_sent());
  if (!count_reply(segment > 0 ? (size + segment - 1) / segment : 1, size)) {
    frontend_.end(*this, CloseReason::finished);
  }
}

void UdpSession::take_many() {
  DatagramReader& reader = frontend_.worker().datagrams.reader();
  size_t count = reader.receive(fd_.get());
  if (count < kBurst) single_ = kSingleTurns;
  if (is_unreachable(reader.error())) return frontend_.server_unreachable(*this);
  DatagramRun run(socket_->get(), peer_, local_);
  bool goes_on = true;
  uint32_t replies = 0;
  for (size_t i = 0; i < count && goes_on; ++i) {
    Arrival& reply = reader.at(i);
    replies += reply.count();
    // What cannot be sent is lost, whatever the reason, and the next may be sent all the same.
    run.add({}, reply.bytes, reply.size, reply.segment);
    goes_on = count_reply(reply.count(), reply.size);
  }
  run.flush();
  frontend_.not_sent() += replies - (run.done() - run.dropped());
  if (!goes_on) return frontend_.end(*this, CloseReason::finished);
  if (count < kFullBurst || many_ || ++bursts_ < kManyAfter) return;
  expect_many_datagrams(fd_.get());
  many_ = true;
}

bool UdpSession::count_reply(uint32_t count, uint32_t size) {
  note_reply(count, size);
  uint32_t responses = frontend_.config().udp_responses.value_or(0);
  return responses == 0 || replies_ < responses * requests_;
}

int64_t UdpSession::receive(char* room, uint16_t& segment) {
  if (standing_ == UdpStanding::unanswered) return receive_checked(room);
  if (!many_) {
    ssize_t got = recv(fd_.get(), room, kMaxDatagram, MSG_DONTWAIT);
    return got < 0 ? -errno : got;
  }
  return receive_together(fd_.get(), room, segment);
}

// Between bind and connect anybody may have sent to our port.
int64_t UdpSession::receive_checked(char* room) {
  while (true) {
    Endpoint4or6 from;
    socklen_t length = sizeof(from.v6);
    ssize_t got = recvfrom(fd_.get(), room, kMaxDatagram, MSG_DONTWAIT, &from.base, &length);
    if (got < 0) return -errno;
    if (Address::from_sockaddr(&from.base, length) == lease_.server()->address()) return got;
  }
}

void UdpSession::write_access_log(CloseReason reason) const {
  const Address from = client();
  AccessRecord record{from, to_string(reason)};
  record.protocol = "udp";
  record.pool = server()->pool();
  record.server = server()->name();
  record.bytes_in = bytes_in_;
  record.bytes_out = bytes_out_;
  record.datagrams_in = requests_;
  record.datagrams_out = replies_;
  record.queued_us = record.connected_us = 0;
  if (answered_ms_ != 0) record.answered_us = (answered_ms_ - began_ms_) * 1000;
  record.took_us = (frontend_.worker().loop.now_ms() - began_ms_) * 1000;
  frontend_.access_log()->write(frontend_.worker().index, record);
}

}  // namespace lb
