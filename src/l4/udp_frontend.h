// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "common/intrusive_list.h"
#include "l4/datagram_tally.h"
#include "l4/flow_table.h"
#include "l4/leaving_servers.h"
#include "l4/udp_newcomers.h"
#include "l4/udp_session.h"
#include "net/datagrams.h"
#include "net/rate_limit.h"
#include "net/timeout_queue.h"
#include "pool/frontend.h"

namespace lb {

// A UDP listener on one worker: takes datagrams in batches, finds or makes the session of each, and
// sends each session's share of a batch together. The kernel gives a client's datagrams to the same
// socket of the group, so to the same worker, for as long as the group stays as it is.
//
// Memory is bounded by max_sessions (of the process: the plan's limit). Where it is reached the
// least recently used goes: first of those that no server answered, then of those whose client did
// not speak again since, then of all. Known clients never wait behind newcomers (UdpNewcomers).
// Worker thread.
class UdpFrontend final : public Frontend, private Timeout, private TurnEnd {
 public:
  UdpFrontend(WorkerContext& worker, FrontendPlan plan);
  ~UdpFrontend() override;

  void update(FrontendPlan plan) override;
  void set_pools(const Pools& pools) override;
  void stop_accepting() override;
  bool has_left_sockets() const override { return !accepting_ || !left_.empty(); }
  void hand_over_sockets(const Frontend& heir) override;
  void leave_server(const Server* server, CloseReason reason) override;
  void end_sessions(CloseReason reason) override;
  void make_room() override;
  size_t session_count() const override { return table_.size(); }

  // For its sessions.
  void end(UdpSession& session, CloseReason reason);
  void server_unreachable(UdpSession& session);
  // Was used just now.
  void touched(UdpSession& session);
  void promote(UdpSession& session, UdpStanding to, UdpStanding& standing);
  uint64_t& not_sent() { return tally_.not_sent(); }
  // Hard to guess from outside; for local ports.
  uint64_t next_secret() { return mix64(secret_ + ++secrets_); }

 private:
  class Listening;
  using Standings = std::array<IntrusiveList<UdpSession>, kUdpStandings>;

  void listen();
  void leave_socket(std::unique_ptr<Listening> gone);
  void close_left_sockets();
  bool is_covered(const Listening& gone) const;
  void look_at_servers();
  void leave_servers();
  void end_departed();

  // What comes in.
  void receive(Listening& listening);
  void take(Listening& listening, uint16_t index);
  void take_apart(Listening& listening, const FlowKey& key, const Arrival& together);
  void take_from_trusted(Listening& listening, const FlowKey& key, Arrival& datagram);
  void take_new(Listening& listening, const FlowKey& key, Arrival& arrival);
  std::optional<Dropped> refuses(const Listening& listening, const Address& client) const;
  bool passes_limits(uint64_t source, Arrival& arrival);
  bool waits(const UdpSession& session) const;
  bool wait_in_line(const FlowKey& key, const Listening& listening, const Arrival& arrival);
  void serve_newcomers();

  // What goes out.
  void append(UdpSession& session, uint16_t index);
  void send_batches();
  void send_batch(UdpSession& session);
  void deliver(UdpSession& session, Arrival* const* arrivals, size_t count);
  void deliver_again(UdpSession& session, Arrival* const* arrivals, size_t count, uint32_t done);

  UdpSession* open(const FlowKey& key, const Arrival& first, std::shared_ptr<const Fd> socket,
                   std::shared_ptr<const ProxyHeader> header = nullptr);
  bool take_room();
  bool evict_one();
  void tell_age();
  uint32_t most_ahead() const;
  bool room_is_awaited() const;
  void on_timeout() override;
  void set_deadline();
  int64_t idle_ms() const;
  void drop(Dropped reason, uint64_t count = 1);
  void end_turn() override;
  void release_sockets();
  void release_if_done();

  static constexpr size_t kNewPerTurn = 32;
  static constexpr int kBatchesPerTurn = 16;
  // Sessions beyond max_sessions, while other workers end theirs: an eighth of it, at most.
  static constexpr uint32_t kMostAhead = 64;
  static constexpr int kMostStalls = 50;  // of a millisecond each
  static constexpr int64_t kDrainIdle_ms = 2'000;
  static constexpr int64_t kLeavingPause_ms = 500;

  std::vector<std::unique_ptr<Listening>> listening_;
  // Of addresses that the listener has no more, while sessions answer from them.
  std::vector<std::unique_ptr<Listening>> left_;
  Timer left_turn_;
  FlowTable<UdpSession> table_;
  Standings standings_;  // each in the order of last use
  DatagramReader* reader_ = nullptr;
  std::array<uint16_t, DatagramReader::kBatch> next_in_batch_{};
  std::vector<UdpSession*> in_batch_;
  UdpNewcomers newcomers_;
  Timer newcomers_turn_;
  size_t new_left_ = kNewPerTurn;  // sessions that this turn may still make
  int stalls_ = 0;      // turns that the first newcomer has waited for other workers to make room
  Pools former_pools_;  // of earlier snapshots' listener: sessions may be with their servers
  LeavingServers leaving_;
  Timer leaving_turn_;
  std::vector<const Server*> departed_;  // removed, with sessions that end soon; only compared
  Timer departed_turn_;
  bool accepting_ = true;
  uint16_t next_socket_ = 0;
  uint64_t secret_;
  uint64_t secrets_ = 0;
  DatagramTally tally_;
};

}  // namespace lb
