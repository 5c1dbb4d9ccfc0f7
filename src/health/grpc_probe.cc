// SPDX-License-Identifier: MIT
#include <optional>
#include <utility>

#include "health/grpc_health.h"
#include "health/probe_connection.h"
#include "health/probes.h"

namespace lb {

namespace {

constexpr size_t kMaxAnswer = 65'536;  // control frames included: each may cost us an answer

class GrpcProbe final : public Probe, private ProbeConnection::Owner {
 public:
  GrpcProbe(EventLoop& loop, const ProbeTarget& target, const HealthCheckConfig& config)
      : connection_(loop, *this),
        address_(target.address),
        source_(target.source),
        authority_(config.host.empty() ? authority(target) : config.host),
        service_(config.service) {}

  void start(Callback done) override {
    done_ = std::move(done);
    connection_.open(address_, source_);
  }

  void cancel() override {
    connection_.close();
    call_.reset();
    done_ = nullptr;
  }

 private:
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

  void on_failed(const std::string& why, bool made) override {
    finish({.made = made, .detail = why});
  }

  void finish(ProbeResult result) {
    auto done = std::exchange(done_, nullptr);
    cancel();
    done(std::move(result));
  }

  ProbeConnection connection_;
  const Address address_;
  const std::optional<Address> source_;
  const std::string authority_;
  const std::string service_;
  Callback done_;
  std::optional<GrpcHealthCall> call_;
  size_t received_ = 0;
};

}  // namespace

std::unique_ptr<Probe> make_grpc_probe(const ProbeMeans& means, const ProbeTarget& target,
                                       const HealthCheckConfig& config) {
  return std::make_unique<GrpcProbe>(means.loop, target, config);
}

}  // namespace lb
