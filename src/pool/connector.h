// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <utility>

#include "common/fd.h"
#include "pool/pool.h"
#include "pool/server.h"
#include "pool/worker_context.h"

namespace lb {

// Finds a server for one piece of work and connects to it: picks, counts, begins a non-blocking
// connect, and after a failure goes on by the pool's retry rules: another server at once, in turn
// those not tried yet; the same one again only after a growing, jittered pause; at most `attempts`
// tries after the first, within the pool's budget, which refused connects do not count against.
// While this machine has no socket to spare it waits for one as long as a connect may take. The
// owner watches the descriptor and the time. Worker thread.
class Connector {
 public:
  enum class Step {
    connecting,  // fd() is on its way to lease().server(), until the pool's connect timeout
    pause,       // call again in pause_ms()
    no_server,   // nothing usable, or every try failed
    full,        // usable servers exist, each at its max_connections
    no_socket,   // this machine is out of descriptors or ports, and has been for too long
  };

  // The owner has bytes to send as soon as a connect is through.
  void set_data_follows() { data_follows_ = true; }

  // The first try, or the next one after a pause. `pool` may be another snapshot's each time.
  Step next(const Pool& pool, WorkerContext& worker, uint64_t key_hash);
  // The try whose lease was taken ended in this errno (ETIMEDOUT when it was late); goes on as
  // next().
  Step failed(int error, Lease lease, const Pool& pool, WorkerContext& worker, uint64_t key_hash);

  Fd take_fd() { return std::move(fd_); }
  Lease take_lease() { return std::move(lease_); }
  int64_t pause_ms() const { return pause_ms_; }
  int last_error() const { return last_error_; }

 private:
  bool may_retry(const Pool& pool, WorkerContext& worker);
  Step pause(const Pool& pool, WorkerContext& worker);
  Step wait_for_socket(const Pool& pool, WorkerContext& worker);
  void blame(Server& server, const Pool& pool, WorkerContext& worker);

  Fd fd_;
  Lease lease_;
  Want want_;
  uint32_t tries_ = 0;   // begun
  uint32_t pauses_ = 0;  // taken
  int64_t pause_ms_ = 0;
  int64_t lacking_since_ms_ = 0;  // a socket; 0 = not
  int last_error_ = 0;
  bool counted_ = false;  // as work of the pool
  bool data_follows_ = false;
};

}  // namespace lb
