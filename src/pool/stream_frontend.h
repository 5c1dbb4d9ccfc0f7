// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "net/acceptor.h"
#include "net/socket.h"
#include "pool/client_limits.h"
#include "pool/frontend.h"

namespace lb {

// A listener whose clients connect: accepts, counts against the limits, checks the lists, and
// spreads connections over the workers. What becomes of one is its protocol's to say. Worker
// thread.
class StreamFrontend : public Frontend {
 public:
  void update(FrontendPlan plan) override;
  void resume_accepting() override;
  void stop_accepting() override;
  bool serve(Fd& client, const Address& peer) override;

  // Why a client whose address is known now is not served, if it is not: by the lists, or by the
  // limits, for whose rates it counts.
  std::optional<CloseReason> refuses(const Address& client) const;
  // For a session to hold: that it counts for its source. Nothing where that has no room.
  std::optional<SourcePlace> place_of(const Address& client) const {
    return SourcePlace::take(*plan().clients, client);
  }

  const std::optional<Keepalive>& keepalive() const { return keepalive_; }
  // Ends the counting of one connection when it is called, be it after this is gone.
  std::function<void()> end_of_count() const;

 protected:
  // The derived class calls listen() once it is ready for connections.
  StreamFrontend(WorkerContext& worker, FrontendPlan plan);
  void listen();

  // A connection that was counted here or by another worker, and is a session from now on. Its
  // PROXY header, if the peer is trusted to send one, and the lists after it, are still to come.
  virtual void begin_session(Fd client, const Address& peer) = 0;
  // Connections of a source are limited, and were not: those of open sessions count from now on.
  virtual void count_for_sources() = 0;
  // Ends the counting of one session at once.
  void end_count();

 private:
  struct Listening {
    std::shared_ptr<const Fd> socket;
    std::unique_ptr<Acceptor> acceptor;
  };

  void accepted(Fd client, const Address& peer);
  void give_back_counts();

  std::optional<Keepalive> keepalive_;
  std::vector<Listening> listening_;
};

// What keepalive a configuration asks for, if any.
std::optional<Keepalive> keepalive_of(const KeepaliveConfig& config);

}  // namespace lb
