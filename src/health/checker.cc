// SPDX-License-Identifier: MIT
#include "health/checker.h"

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "common/hash.h"
#include "common/log.h"

namespace lb {

namespace {

// The host name that the configuration has for a server; "" where it has an address.
std::string host_of(const Server& server, const PoolConfig& pool) {
  for (const ServerConfig& written : pool.servers) {
    bool is_it = !written.host.empty() && server.name().starts_with(written.name + "/");
    if (is_it) return written.host;
  }
  return {};
}

ProbeTarget target_of(const Server& server, const PoolConfig& pool) {
  ProbeTarget target{.address = server.address(), .pool = server.pool(), .server = server.name()};
  if (pool.health_check.port) target.address.set_port(*pool.health_check.port);
  // A server that may be reached from certain addresses only is checked from one of them.
  auto source = std::find_if(pool.source.begin(), pool.source.end(), [&](const Address& address) {
    return address.family() == target.address.family();
  });
  if (source != pool.source.end()) target.source = *source;
  target.host = host_of(server, pool);
  return target;
}

}  // namespace

// The checks of one server.
class HealthChecker::Check {
 public:
  Check(HealthChecker& owner, Server& server, const PoolConfig& pool)
      : owner_(owner),
        server_(server),
        config_(pool.health_check),
        target_(target_of(server, pool)),
        state_(config_.rise, config_.fall),
        next_(owner.loop_, [this] { begin(); }),
        late_(owner.loop_, [this] { time_out(); }) {}

  // A probe may be the one that calls.
  ~Check() { retire_probe(); }

  void set_config(const PoolConfig& pool) {
    ProbeTarget target = target_of(server_, pool);
    if (config_ == pool.health_check && target_ == target) return;
    config_ = pool.health_check;
    target_ = std::move(target);
    state_.set_thresholds(config_.rise, config_.fall);
    outdated_ = true;
    // The first check of all stays as near as it is.
    if (!running_ && state_.health() != Health::unknown) schedule();
  }

  // The first check of all comes almost at once, a thousand of them spread over half a second.
  void schedule_first() {
    auto spread_ms = static_cast<int64_t>(std::min<size_t>(owner_.checks_.size() / 2, 500));
    next_.start(milliseconds(jitter(spread_ms)));
  }

  void begin() {
    next_.stop();
    if (running_) return;
    if (std::exchange(outdated_, false)) {
      retire_probe();
      probe_ = make_probe({owner_.loop_, &owner_.scripts_}, target_, config_);
    }
    running_ = true;
    late_.start(config_.timeout);
    started_ms_ = monotonic_ms();
    probe_->start([this](const ProbeResult& result) { finish(result); });
  }

 private:
  void time_out() {
    probe_->cancel();
    finish({.detail = "timeout"});
  }

  void finish(const ProbeResult& result) {
    late_.stop();
    running_ = false;
    if (!result.made) {
      log::debug("server {}/{}: not checked: {}", server_.pool(), server_.name(), result.detail);
      return schedule();
    }
    if (owner_.on_result) {
      milliseconds took(monotonic_ms() - started_ms_);
      owner_.on_result(server_, {unix_ms(), result.passed, took, result.detail});
    }
    Health before = state_.health();
    auto changed = state_.add(result.passed, result.decides);
    schedule();
    if (changed) owner_.on_transition_(server_, {before, *changed, result.detail});
  }

  void retire_probe() {
    if (!probe_) return;
    probe_->cancel();
    owner_.loop_.retire(std::move(probe_));
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
  ProbeTarget target_;
  RiseFall state_;
  std::unique_ptr<Probe> probe_;
  bool outdated_ = true;  // the next check needs a new probe
  bool running_ = false;
  int64_t started_ms_ = 0;
  Timer next_;
  Timer late_;
};

HealthChecker::HealthChecker(EventLoop& loop, Callback on_transition, ScriptProcess scripts)
    : loop_(loop),
      on_transition_(std::move(on_transition)),
      scripts_(loop, std::move(scripts)),
      random_state_(static_cast<uint64_t>(monotonic_us())) {}

HealthChecker::~HealthChecker() = default;

void HealthChecker::watch(Server& server, const PoolConfig& pool) {
  auto& check = checks_[&server];
  if (check) {
    check->set_config(pool);
    return;
  }
  check = std::make_unique<Check>(*this, server, pool);
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
