// SPDX-License-Identifier: MIT
#include "health/checker.h"

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "common/hash.h"

namespace lb {

// The checks of one server.
class HealthChecker::Check {
 public:
  Check(HealthChecker& owner, Server& server, const HealthCheckConfig& config)
      : owner_(owner),
        server_(server),
        config_(config),
        state_(config.rise, config.fall),
        next_(owner.loop_, [this] { begin(); }),
        late_(owner.loop_, [this] {
          finish({false, "timeout"});
        }) {}

  const HealthCheckConfig& config() const { return config_; }

  void set_config(const HealthCheckConfig& config) {
    config_ = config;
    state_.set_thresholds(config.rise, config.fall);
    // The first check of all stays as near as it is.
    if (!probe_ && state_.health() != Health::unknown) schedule();
  }

  // The first check of all comes almost at once, a thousand of them spread over half a second.
  void schedule_first() {
    auto spread_ms = static_cast<int64_t>(std::min<size_t>(owner_.checks_.size() / 2, 500));
    next_.start(milliseconds(jitter(spread_ms)));
  }

  void begin() {
    next_.stop();
    if (probe_) return;
    Address address = server_.address();
    if (config_.port) address.set_port(*config_.port);
    probe_ = make_tcp_probe(owner_.loop_, address, config_);
    late_.start(config_.timeout);
    probe_->start([this](ProbeResult result) { finish(std::move(result)); });
  }

 private:
  void finish(ProbeResult result) {
    late_.stop();
    if (probe_) owner_.loop_.retire(std::move(probe_));  // it is the one that calls
    Health before = state_.health();
    auto changed = state_.add(result.passed);
    schedule();
    if (changed) owner_.on_transition_(server_, {before, *changed, result.detail});
  }

  // A tenth earlier or later, so that checks which fell together drift apart.
  void schedule() {
    milliseconds pause =
        state_.is_doubtful() ? std::min(config_.fast_interval, config_.interval) : config_.interval;
    int64_t tenth_ms = pause.count() / 10;
    next_.start(milliseconds(pause.count() - tenth_ms + jitter(2 * tenth_ms)));
  }

  int64_t jitter(int64_t up_to_ms) {
    if (up_to_ms <= 0) return 0;
    uint64_t random = mix64(owner_.random_state_++);
    return static_cast<int64_t>(random % static_cast<uint64_t>(up_to_ms + 1));
  }

  HealthChecker& owner_;
  Server& server_;
  HealthCheckConfig config_;
  RiseFall state_;
  std::unique_ptr<Probe> probe_;
  Timer next_;
  Timer late_;
};

HealthChecker::HealthChecker(EventLoop& loop, Callback on_transition)
    : loop_(loop),
      on_transition_(std::move(on_transition)),
      random_state_(static_cast<uint64_t>(monotonic_us())) {}

HealthChecker::~HealthChecker() = default;

void HealthChecker::watch(Server& server, const HealthCheckConfig& config) {
  auto& check = checks_[&server];
  if (check) {
    if (check->config() != config) check->set_config(config);
    return;
  }
  check = std::make_unique<Check>(*this, server, config);
  check->schedule_first();
}

void HealthChecker::forget(Server& server) {
  checks_.erase(&server);
}

void HealthChecker::check_now(Server& server) {
  auto check = checks_.find(&server);
  if (check != checks_.end()) check->second->begin();
}

}  // namespace lb
