// SPDX-License-Identifier: MIT
#include <algorithm>
#include <utility>

#include "health/probe_connection.h"
#include "health/probes.h"

namespace lb {

namespace {

class TcpProbe final : public Probe, private ProbeConnection::Owner {
 public:
  TcpProbe(EventLoop& loop, const ProbeTarget& target, const HealthCheckConfig& config)
      : connection_(loop, *this),
        address_(target.address),
        source_(target.source),
        send_(config.send),
        expect_(config.expect) {}

  void start(Callback done) override {
    done_ = std::move(done);
    seen_ = 0;
    connection_.open(address_, source_);
  }

  void cancel() override {
    connection_.close();
    done_ = nullptr;
  }

 private:
  void on_connected() override {
    if (!send_.empty()) connection_.send(send_);
    if (expect_.empty()) return finish({.passed = true, .detail = "connected"});
    connection_.receive();
  }

  void on_bytes(std::string_view bytes) override {
    std::string_view wanted = std::string_view(expect_).substr(seen_, bytes.size());
    if (!bytes.starts_with(wanted)) {
      return finish({.detail = "an answer other than the expected one"});
    }
    seen_ += wanted.size();
    if (seen_ == expect_.size()) finish({.passed = true, .detail = "answered as expected"});
  }

  void on_end() override { finish({.detail = "closed before the expected answer"}); }

  void on_failed(const std::string& why, bool made) override {
    finish({.made = made, .detail = why});
  }

  void finish(ProbeResult result) {
    auto done = std::exchange(done_, nullptr);
    connection_.close();
    done(std::move(result));
  }

  ProbeConnection connection_;
  const Address address_;
  const std::optional<Address> source_;
  const std::string send_;
  const std::string expect_;
  Callback done_;
  size_t seen_ = 0;
};

}  // namespace

std::unique_ptr<Probe> make_tcp_probe(const ProbeMeans& means, const ProbeTarget& target,
                                      const HealthCheckConfig& config) {
  return std::make_unique<TcpProbe>(means.loop, target, config);
}

}  // namespace lb
