// SPDX-License-Identifier: MIT
#include <optional>
#include <utility>

#include "health/connection_probe.h"
#include "health/grpc_health.h"
#include "health/probes.h"

namespace lb {

namespace {

constexpr size_t kMaxAnswer = 65'536;  // control frames included: each may cost us an answer

class GrpcProbe final : public ConnectionProbe {
 public:
  GrpcProbe(EventLoop& loop, const ProbeTarget& target, const HealthCheckConfig& config)
      : ConnectionProbe(loop, target),
        authority_(config.host.empty() ? authority(target) : config.host),
        service_(config.service) {}

 private:
  void end() override { call_.reset(); }

  void on_connected() override {
    received_ = 0;
    call_.emplace(authority_, service_);
    connection_.send(call_->to_send());
    connection_.receive();
  }

  void on_bytes(std::string_view bytes) override {
    call_->take(bytes);
    std::string next = call_->to_send();
    if (call_->done()) return finish({.passed = call_->serving(), .detail = call_->detail()});
    received_ += bytes.size();
    if (received_ > kMaxAnswer) return finish({.detail = "an answer of more than 64 KiB"});
    connection_.send(next);
  }

  void on_end() override { finish({.detail = "closed before the answer"}); }

  const std::string authority_;
  const std::string service_;
  std::optional<GrpcHealthCall> call_;
  size_t received_ = 0;
};

}  // namespace

std::unique_ptr<Probe> make_grpc_probe(const ProbeMeans& means, const ProbeTarget& target,
                                       const HealthCheckConfig& config) {
  return std::make_unique<GrpcProbe>(means.loop, target, config);
}

}  // namespace lb
