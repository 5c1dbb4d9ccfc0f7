// SPDX-License-Identifier: MIT
#include <algorithm>

#include "health/connection_probe.h"
#include "health/probes.h"

namespace lb {

namespace {

class TcpProbe final : public ConnectionProbe {
 public:
  TcpProbe(EventLoop& loop, const ProbeTarget& target, const HealthCheckConfig& config)
      : ConnectionProbe(loop, target), send_(config.send), expect_(config.expect) {}

 private:
  void begin() override { seen_ = 0; }

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

  const std::string send_;
  const std::string expect_;
  size_t seen_ = 0;
};

}  // namespace

std::unique_ptr<Probe> make_tcp_probe(const ProbeMeans& means, const ProbeTarget& target,
                                      const HealthCheckConfig& config) {
  return std::make_unique<TcpProbe>(means.loop, target, config);
}

}  // namespace lb
