// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "health/probe.h"
#include "health/probe_connection.h"

namespace lb {

// A probe that connects anew for every check and is done with the connection when it has judged.
// What is said there, and what is thought of the answer, is its subclass's. Control thread.
class ConnectionProbe : public Probe, protected ProbeConnection::Owner {
 public:
  void start(Callback done) final {
    done_ = std::move(done);
    begin();
    connection_.open(address_, source_);
  }
  void cancel() final {
    connection_.close();
    done_ = nullptr;
    end();
  }

 protected:
  ConnectionProbe(EventLoop& loop, const ProbeTarget& target,
                  std::optional<ProbeTls> tls = std::nullopt)
      : connection_(loop, *this, std::move(tls)),
        address_(target.address),
        source_(target.source) {}

  // Forgets the last check; gives back what only a check under way needs.
  virtual void begin() {}
  virtual void end() {}

  void on_failed(const std::string& why, bool made) override {
    finish({.made = made, .detail = why});
  }

  // Once for each check.
  void finish(ProbeResult result) {
    auto done = std::exchange(done_, nullptr);
    cancel();
    done(std::move(result));
  }

  ProbeConnection connection_;

 private:
  const Address address_;
  const std::optional<Address> source_;
  Callback done_;
};

}  // namespace lb
