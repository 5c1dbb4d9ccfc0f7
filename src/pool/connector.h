// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "common/fd.h"
#include "pool/pool.h"
#include "pool/server.h"
#include "pool/wait_line.h"
#include "pool/worker_context.h"

namespace lb {

// Live traffic found that this server cannot be reached: counts it, has every worker pass the
// server over for a while, and control check it at once.
void blame(Server& server, const Pool& pool, WorkerContext& worker);

// One of the pool's local addresses of the server's family, any of them in turn by chance; null
// where there is none.
const Address* choose_source(const std::vector<Address>& sources, int family, uint64_t random);

// Finds a server for one piece of work and connects to it: picks, counts, begins a non-blocking
// connect, and after a failure goes on by the pool's retry rules: another server at once, in turn
// those not tried yet; the same one again only after a growing, jittered pause; at most `attempts`
// tries after the first, within the pool's budget, which refused connects do not count against.
// While this machine has no socket to spare it waits for one as long as a connect may take.
// Work with a sticky key that this balancer does not know waits for what the pool's store says of
// it, once and briefly. Work that finds no server waits in the pool's line by the rules of queue
// and hold; new work joins behind whoever waits there. The owner watches the descriptor and the
// time. Worker thread.
class Connector {
 public:
  enum class Step {
    leased,      // server() is picked: connect(), unless there is a connection to it already
    connecting,  // fd() is on its way to lease().server(), until the pool's connect timeout
    pause,       // call next() again in pause_ms()
    waiting,     // call next() on one's turn, look() at look_ms()
    no_server,   // nothing usable, or every try failed, and that for too long
    full,        // usable servers exist, each at its max_connections, and that for too long
    no_socket,   // this machine is out of descriptors or ports, and has been for too long
  };

  // Without an owner that can be told of its turn it never waits in the line.
  Connector() = default;
  explicit Connector(Waiter& owner) : owner_(&owner) {}
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;
  ~Connector() { stop(); }

  // The owner has bytes to send as soon as a connect is through.
  void set_data_follows() { data_follows_ = true; }

  // The owner may have connections already: it is asked between the pick and the connect (leased).
  void set_stops_at_lease() { stops_at_lease_ = true; }

  // The first try, or the next one after a pause. `pool` may be another snapshot's each time.
  Step next(const Pool& pool, WorkerContext& worker, const WorkKey& key);
  // The try whose lease was taken ended in this errno (ETIMEDOUT when it was late); goes on as
  // next().
  Step failed(int error, Lease lease, const Pool& pool, WorkerContext& worker, const WorkKey& key);

  // While waiting: its time may be over, or it may be the one to look for a server again.
  Step look(const Pool& pool, WorkerContext& worker, const WorkKey& key);
  int64_t look_ms() const { return look_ms_; }
  // The connect is through: lets go of everything, whoever waits behind it has its turn.
  void connected();
  // The work is over.
  void stop() {
    forget_question();
    leave(false);
  }

  // The try under way is one of somebody who has waited: others wait for how it ends.
  bool is_in_line() const { return place_ != nullptr; }

  // After `leased`: connects to that server; goes on as next().
  Step connect(const Pool& pool, WorkerContext& worker, const WorkKey& key);
  // A connection that stood before turned out to be dead: connects to the same server, which is no
  // new try.
  Step connect_again(Lease lease, const Pool& pool, WorkerContext& worker, const WorkKey& key);
  // The server broke off after the connect, which is not held against it here; goes on as next().
  Step broken(Lease lease, const Pool& pool, WorkerContext& worker, const WorkKey& key);
  // The server says that it has not taken the work. Whether there may be another try, by
  // elsewhere(); else what it says is the last word.
  bool may_go_elsewhere(const Pool& pool, WorkerContext& worker);
  Step elsewhere(Lease lease, const Pool& pool, WorkerContext& worker, const WorkKey& key);

  const Server* server() const { return lease_.server(); }
  // Of the last try; it may be gone by now.
  const Server* last_server() const { return last_server_; }
  // Until connected(): the server was chosen because the work's key is its own.
  bool is_home() const { return want_.only != nullptr; }
  Fd take_fd() { return std::move(fd_); }
  Lease take_lease() { return std::move(lease_); }
  int64_t pause_ms() const { return pause_ms_; }
  int last_error() const { return last_error_; }
  // Tries after the first, of all that were begun.
  uint32_t retries() const { return begun_ > 0 ? begun_ - 1 : 0; }

 private:
  Step pick(const Pool& pool, WorkerContext& worker, const WorkKey& key);
  bool bind(const Pool& pool, WorkerContext& worker, const WorkKey& key);
  Step wait_for_another(bool holding, const Pool& pool, WorkerContext& worker, const WorkKey& key);
  Step no_lease(NoServer why, const Pool& pool, WorkerContext& worker, const WorkKey& key);
  Step wait(bool holding, const Pool& pool, WorkerContext& worker, const WorkKey& key);
  Step join(bool holding, const Pool& pool, WorkerContext& worker, const WorkKey& key);
  bool waits_elsewhere(const Pool& pool) const;
  bool awaits_store(const Pool& pool, WorkerContext& worker, const WorkKey& key);
  void forget_question();
  bool is_newcomer(const Pool& pool) const;
  Step give_up();
  int64_t deadline_ms(const Pool& pool) const;
  void leave(bool served);
  bool may_retry(const Pool& pool, WorkerContext& worker);
  Step pause(const Pool& pool, WorkerContext& worker);
  int64_t next_pause_ms(const Pool& pool, WorkerContext& worker);
  Step wait_for_socket(const Pool& pool, WorkerContext& worker);

  Waiter* owner_ = nullptr;
  std::shared_ptr<Place> place_;             // in the line, from the first wait until connected
  std::shared_ptr<StoreQuestion> question_;  // while its answer is waited for
  int64_t question_until_ms_ = 0;
  int64_t waits_since_ms_ = 0;
  int64_t look_ms_ = 0;
  int64_t try_again_ms_ = 0;  // while waiting; 0 = when called
  Fd fd_;
  Lease lease_;
  const Server* last_server_ = nullptr;
  Want want_;
  uint32_t tries_ = 0;   // begun, since it last waited in the line
  uint32_t begun_ = 0;   // in all
  uint32_t pauses_ = 0;  // taken
  int64_t pause_ms_ = 0;
  int64_t lacking_since_ms_ = 0;  // a socket; 0 = not
  int last_error_ = 0;
  bool holding_ = false;    // waits for a usable server, not for room
  bool counted_ = false;    // as work of the pool
  bool has_asked_ = false;  // the pool's store
  bool data_follows_ = false;
  bool stops_at_lease_ = false;
};

}  // namespace lb
