// SPDX-License-Identifier: MIT
#include <utility>

#include "health/probes.h"
#include "health/script_runner.h"

namespace lb {

namespace {

// Has the command run by the script process.
class ScriptProbe final : public Probe {
 public:
  ScriptProbe(ScriptRunner& runner, const ProbeTarget& target, const HealthCheckConfig& config)
      : runner_(runner), command_(config.command), timeout_(config.timeout) {
    const Address& address = target.address;
    bool is_ip = address.is_ip();
    server_ = {.name = target.server,
               .address = address.to_string(),
               .host = is_ip ? address.ip_string() : std::string(address.unix_path()),
               .port = is_ip ? std::to_string(address.port()) : ""};
  }
  ~ScriptProbe() override { cancel(); }

  void start(Callback done) override {
    running_ = runner_.run(
        command_, server_, timeout_,
        [done = std::move(done)](const ScriptRunner::Outcome& outcome) {
          done({.passed = outcome.passed, .made = outcome.ran, .detail = outcome.detail});
        });
  }

  // It is killed at its deadline, which is now.
  void cancel() override { runner_.forget(running_); }

 private:
  ScriptRunner& runner_;
  const std::vector<std::string> command_;
  const milliseconds timeout_;
  CheckedServer server_;
  uint64_t running_ = 0;
};

}  // namespace

std::unique_ptr<Probe> make_script_probe(const ProbeMeans& means, const ProbeTarget& target,
                                         const HealthCheckConfig& config) {
  return std::make_unique<ScriptProbe>(*means.scripts, target, config);
}

}  // namespace lb
