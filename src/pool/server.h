// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/address.h"
#include "common/histogram.h"
#include "common/tally.h"
#include "pool/latency.h"
#include "pool/load_table.h"
#include "pool/reported_load.h"

namespace lb {

// Figures of one server that one worker writes and the control thread reads when asked (relaxed).
// Each stands on a cache line of its own.
struct alignas(64) ServerCell {
  std::atomic<uint64_t> connections{0};       // connected, in all
  std::atomic<uint64_t> connect_failures{0};  // refused, late or unreachable
  std::atomic<uint64_t> bytes_in{0};          // from clients to the server
  std::atomic<uint64_t> bytes_out{0};         // from the server to clients
  Tally requests;                             // given to it; over tcp: connections
  Tally failures;                             // see pool/outlier.h
  std::atomic<uint32_t> response_us{0};       // moving average of this worker; 0 = none yet
  Histogram response;                         // what the average is made of

  // Connect and first byte of one answer, as this worker saw it.
  void note_response(uint32_t us) {
    response.record(us);
    uint32_t before = response_us.load(std::memory_order_relaxed);
    int64_t step = (int64_t{us} - int64_t{before}) / 8;
    auto after = static_cast<uint32_t>(before == 0 ? us : before + step);
    response_us.store(after == 0 ? 1 : after, std::memory_order_relaxed);
  }
};

// One server of one pool, for as long as its pool, name and address stay the same: reloads keep it,
// with its counters and its health. Created and freed by PoolRegistry on the control thread, never
// while it is in a worker's snapshot or has work in progress; between, any thread.
class Server {
 public:
  // Takes a slot of `load`, which is the pool's and outlives the server. `number`: that of the
  // server that it was before it was freed.
  Server(std::string pool, std::string name, const Address& address, LoadTable& load,
         size_t workers, std::optional<uint32_t> number = {})
      : pool_(std::move(pool)),
        name_(std::move(name)),
        address_(address),
        number_(number ? *number : next_number()),
        active_(load.acquire_slot()),
        line_(load.line()),
        cells_(workers) {}

  const std::string& pool() const { return pool_; }
  const std::string& name() const { return name_; }
  const Address& address() const { return address_; }

  // Never that of a server of another pool, name or address, as long as the process lives.
  uint32_t number() const { return number_; }

  // Work in progress, all workers.
  LoadTable::Counter& active() { return active_; }
  const LoadTable::Counter& active() const { return active_; }
  // Who waits for servers of its pool.
  WaitLine& line() const { return line_; }

  // After a failed connect of live traffic every worker passes this server over until then
  // (monotonic ms; 0 = not avoided), unless it is the last.
  std::atomic<int64_t> avoid_until_ms{0};

  // Of live traffic, with no success between; see pool/outlier.h.
  std::atomic<uint32_t> failures_in_a_row{0};
  // While it is ejected or back and not trusted yet: no new work before then, and from then on one
  // client (monotonic ms; 0 = trusted). See pool/outlier.h.
  std::atomic<int64_t> next_trial_ms{0};

  // Peak EWMA of connect and first-byte time.
  Latency latency;

  // What it says of its own load, in checks and responses.
  ReportedLoad reported;

  ServerCell& cell(size_t worker) { return cells_[worker]; }
  const std::vector<ServerCell>& cells() const { return cells_; }

 private:
  static uint32_t next_number() {
    static std::atomic<uint32_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
  }

  const std::string pool_;
  const std::string name_;
  const Address address_;
  const uint32_t number_;
  LoadTable::Counter& active_;
  WaitLine& line_;
  std::vector<ServerCell> cells_;
};

// One unit of work counted at a server: the only way to be counted. Gives the count back when it
// dies, which somebody may wait for. Any thread, one at a time.
class Lease {
 public:
  Lease() = default;
  // Takes over a count that the caller has already added to server->active().
  explicit Lease(Server* counted) : server_(counted), ticket_(counted->reported.begin_work()) {}
  Lease(Lease&& other) noexcept
      : server_(std::exchange(other.server_, nullptr)), ticket_(other.ticket_) {}
  Lease& operator=(Lease&& other) noexcept {
    if (this != &other) {
      reset();
      server_ = std::exchange(other.server_, nullptr);
      ticket_ = other.ticket_;
    }
    return *this;
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() { reset(); }

  Server* server() const { return server_; }
  explicit operator bool() const { return server_ != nullptr; }
  void reset() {
    if (server_ == nullptr) return;
    Server* server = std::exchange(server_, nullptr);
    server->reported.end_work(ticket_);
    WaitLine& line = server->line();
    // From here on the server may be freed. Sequentially consistent, with waiting(): see WaitLine.
    server->active().fetch_sub(1, std::memory_order_seq_cst);
    if (line.waiting() > 0) line.released(server);
  }
  // The same for work that never began because the server cannot be reached: that is no room for
  // anybody who waits.
  void drop() {
    if (server_ == nullptr) return;
    server_->reported.end_work(ticket_);
    std::exchange(server_, nullptr)->active().fetch_sub(1, std::memory_order_seq_cst);
  }

 private:
  Server* server_ = nullptr;
  uint32_t ticket_ = 0;  // of ReportedLoad
};

}  // namespace lb
