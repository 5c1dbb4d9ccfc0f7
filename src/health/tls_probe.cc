// SPDX-License-Identifier: MIT
#include <utility>

#include "health/probe_connection.h"
#include "health/probe_tls.h"
#include "health/probes.h"

namespace lb {

namespace {

class TlsProbe final : public Probe, private ProbeConnection::Owner {
 public:
  TlsProbe(const ProbeMeans& means, const ProbeTarget& target, const HealthCheckConfig& config)
      : connection_(means.loop, *this, tls_for(means, target, config)),
        address_(target.address),
        source_(target.source) {}

  void start(Callback done) override {
    done_ = std::move(done);
    connection_.open(address_, source_);
  }

  void cancel() override {
    connection_.close();
    done_ = nullptr;
  }

 private:
  void on_connected() override {
    ProbeResult result{.passed = true, .detail = "handshake done"};
    result.certificate_ends_s = connection_.certificate_ends_s();
    if (result.certificate_ends_s) {
      result.detail += ", " + certificate_detail(*result.certificate_ends_s);
    }
    finish(std::move(result));
  }
  void on_bytes(std::string_view) override {}
  void on_end() override {}
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
  Callback done_;
};

}  // namespace

std::unique_ptr<Probe> make_tls_probe(const ProbeMeans& means, const ProbeTarget& target,
                                      const HealthCheckConfig& config) {
  return std::make_unique<TlsProbe>(means, target, config);
}

}  // namespace lb
