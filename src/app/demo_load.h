// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "app/demo_figures.h"
#include "common/address.h"
#include "net/event_loop.h"
#include "net/mailbox.h"

namespace lb {

// The clients of `lb demo`, on a thread of their own: kPerSecond short connections a second, each
// of which asks one line and wants its answer within two seconds, and kLasting long ones that ask a
// line now and then and connect anew when they are cut. At most 64 short ones are open at a time;
// what would be more is left out. Public functions: control thread.
class DemoLoad {
 public:
  static constexpr int kPerSecond = 200;
  static constexpr size_t kLasting = 6;

  explicit DemoLoad(const Address& balancer);
  ~DemoLoad();
  DemoLoad(const DemoLoad&) = delete;
  DemoLoad& operator=(const DemoLoad&) = delete;

  void start();
  // Begins nothing more and lets what is open finish. From here on no failure is counted: the
  // balancer is about to go.
  void finish();
  // What happened since the last call.
  DemoFigures take();

 private:
  class Client;
  using Clients = std::unordered_map<const Client*, std::unique_ptr<Client>>;

  void keep_pace();
  void begin(Clients& clients);
  // Told by clients. Answered: of a short connection.
  void answered(const Client& client, int64_t latency_us);
  void failed(const Client& client);
  void cut(const Client& client);
  void remove(const Client& client);

  const Address balancer_;
  EventLoop loop_;
  Mailbox mailbox_;
  Timer pace_;
  int64_t started_ms_ = 0;
  int64_t begun_ = 0;  // short connections that were due so far
  int64_t next_lasting_ms_ = 0;
  uint64_t next_number_ = 0;  // of a request, so that no answer is taken for another's
  std::atomic<bool> finishing_{false};
  Clients brief_;
  Clients lasting_;
  std::mutex mutex_;
  DemoFigures figures_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace lb
