// SPDX-License-Identifier: MIT
#include <utility>

#include "health/connection_probe.h"
#include "health/probe_tls.h"
#include "health/probes.h"

namespace lb {

namespace {

class TlsProbe final : public ConnectionProbe {
 public:
  TlsProbe(const ProbeMeans& means, const ProbeTarget& target, const HealthCheckConfig& config)
      : ConnectionProbe(means.loop, target, tls_for(means, target, config)) {}

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
};

}  // namespace

std::unique_ptr<Probe> make_tls_probe(const ProbeMeans& means, const ProbeTarget& target,
                                      const HealthCheckConfig& config) {
  return std::make_unique<TlsProbe>(means, target, config);
}

}  // namespace lb
