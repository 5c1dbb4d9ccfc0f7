// SPDX-License-Identifier: MIT
#include "health/checker.h"

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "common/hash.h"
#include "common/log.h"
#include "health/probe_tls.h"
#include "pool/overload.h"

namespace lb {

namespace {

constexpr int64_t kDay_s = 86'400;
constexpr int64_t kCertificateWarning_s = 14 * kDay_s;

// The host name that the configuration has for a server; "" where it has an address.
std::string host_of(const Server& server, const PoolConfig& pool) {
  for (const ServerConfig& written : pool.servers) {
    bool is_it = !written.host.empty() && server.name().starts_with(written.name + "/");
    if (is_it) return written.host;
  }
  return {};
}

// Only what matters to the type of the check, so that checks which see the same are one.
ProbeTarget target_of(const Server& server, const PoolConfig& pool) {
  const HealthCheckConfig& config = pool.health_check;
  ProbeTarget target{.address = server.address()};
  if (config.port) target.address.set_port(*config.port);
  // A server that may be reached from certain addresses only is checked from one of them.
  auto source = std::find_if(pool.source.begin(), pool.source.end(), [&](const Address& address) {
    return address.family() == target.address.family();
  });
  if (source != pool.source.end()) target.source = *source;
  switch (config.type) {
    case CheckType::tls:
    case CheckType::http:
    case CheckType::https:
    case CheckType::grpc:
      if (config.host.empty()) target.host = host_of(server, pool);
      break;
    case CheckType::script:
      target.pool = server.pool();
      target.server = server.name();
      break;
    default:
      break;
  }
  return target;
}

}  // namespace

// The checks of one address by one configuration, and the servers that they are of.
class HealthChecker::Check {
 public:
  Check(HealthChecker& owner, ProbeTarget target, const HealthCheckConfig& config, Health health)
      : owner_(owner),
        config_(config),
        target_(std::move(target)),
        state_(config_.rise, config_.fall, health),
        overload_(config_.thresholds),
        next_(owner.loop_, [this] { begin(); }),
        late_(owner.loop_, [this] { time_out(); }) {
    renew_probe();
  }

  bool is(const ProbeTarget& target, const HealthCheckConfig& config) const {
    return target_ == target && config_ == config;
  }

  const ProbeTarget& target() const { return target_; }
  const HealthCheckConfig& config() const { return config_; }
  std::vector<Server*>& servers() { return servers_; }
  bool has_results() const { return last_.has_value(); }
  Health health() const { return state_.health(); }
  bool overloaded() const { return overload_.overloaded(); }
  const AgentWish& wish() const { return wish_; }
  // The check that was made last; nothing before the first.
  const std::optional<CheckRecord>& last() const { return last_; }
  // What it said, once there are results.
  const std::string& detail() const { return last_->detail; }
  const std::string& load_detail() const { return load_detail_; }

  void set_config(ProbeTarget target, const HealthCheckConfig& config) {
    if (config.type != config_.type) wish_ = {};
    target_ = std::move(target);
    config_ = config;
    state_.set_thresholds(config_.rise, config_.fall);
    overload_.set_thresholds(config_.thresholds);
    if (running_) {
      outdated_ = true;
    } else {
      renew_probe();
    }
    // The first check of all stays as near as it is.
    if (!running_ && state_.health() != Health::unknown) schedule();
  }

  // The first check of all comes almost at once, a thousand of them spread over half a second.
  void schedule_first() {
    auto spread_ms = static_cast<int64_t>(std::min<size_t>(owner_.checks_.size() / 2, 500));
    next_.start(milliseconds(jitter(spread_ms)));
  }

  // A tenth earlier or later, so that checks which fell together drift apart.
  void schedule() {
    milliseconds pause =
        state_.is_doubtful() ? std::min(config_.fast_interval, config_.interval) : config_.interval;
    int64_t tenth_ms = pause.count() / 10;
    next_.start(milliseconds(pause.count() - tenth_ms + jitter(2 * tenth_ms)));
  }

  void begin() {
    next_.stop();
    if (running_) return;
    if (outdated_) renew_probe();
    running_ = true;
    late_.start(config_.timeout);
    started_ms_ = monotonic_ms();
    probe_->start([this](const ProbeResult& result) { finish(result); });
  }

  // Before an end that is put off: it may be in the middle of telling.
  void stop() {
    next_.stop();
    late_.stop();
    stop_probe();
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
      log::debug("{}: not checked: {}", target_.address.to_string(), result.detail);
      return schedule();
    }
    milliseconds took(monotonic_ms() - started_ms_);
    last_ = {unix_ms(), result.passed, took, result.detail,
             result.load ? result.load->usual() : std::nullopt};
    state_.add(result.passed, result.decides);
    note_load(result);
    warn_of_certificate(result);
    if (result.agent) wish_.add(*result.agent);
    schedule();
    const CheckRecord record = *last_;
    const std::vector<Server*> told = servers_;  // which may change meanwhile
    for (Server* server : told) {
      if (!has(server)) continue;
      if (result.load) server->reported.note(*result.load, monotonic_ms(), config_.interval);
      if (owner_.on_result) owner_.on_result(*server, record);
      if (has(server)) owner_.tell(*server);
    }
  }

  // A check that passes without a word of load says that there is none; a failure says nothing.
  void note_load(const ProbeResult& result) {
    if (!result.load && !result.passed) return;
    auto changed = overload_.add(result.load.value_or(LoadReport()));
    if (changed) load_detail_ = changed->reason;
  }

  // Once a day.
  void warn_of_certificate(const ProbeResult& result) {
    int64_t now_s = unix_ms() / 1'000;
    if (!result.certificate_ends_s || now_s < warned_s_ + kDay_s) return;
    int64_t left_s = *result.certificate_ends_s - now_s;
    if (left_s >= kCertificateWarning_s) return;
    warned_s_ = now_s;
    for (const Server* server : servers_) {
      log::warning("server {}/{}: {}, {} days from now", server->pool(), server->name(),
                   certificate_detail(*result.certificate_ends_s), left_s / kDay_s);
    }
  }

  bool has(Server* server) const {
    return std::find(servers_.begin(), servers_.end(), server) != servers_.end();
  }

  // Outside of checks where it can be: the files of its TLS are read here.
  void renew_probe() {
    outdated_ = false;
    stop_probe();
    probe_ = make_probe({owner_.loop_, &owner_.scripts_, &owner_.tls_}, target_, config_);
  }

  // A probe may be the one that calls.
  void stop_probe() {
    if (!probe_) return;
    probe_->cancel();
    owner_.loop_.retire(std::move(probe_));
  }

  int64_t jitter(int64_t up_to_ms) {
    if (up_to_ms <= 0) return 0;
    uint64_t random = mix64(owner_.random_state_++);
    return static_cast<int64_t>(random % static_cast<uint64_t>(up_to_ms + 1));
  }

  HealthChecker& owner_;
  HealthCheckConfig config_;
  ProbeTarget target_;
  std::vector<Server*> servers_;
  RiseFall state_;
  Overload overload_;
  AgentWish wish_;
  std::optional<CheckRecord> last_;
  std::string load_detail_ = "no longer reported";  // of the last change of overload
  std::unique_ptr<Probe> probe_;
  bool outdated_ = false;  // the next check needs a new probe
  bool running_ = false;
  int64_t started_ms_ = 0;
  int64_t warned_s_ = 0;  // of a certificate that ends soon
  Timer next_;
  Timer late_;
};

HealthChecker::HealthChecker(EventLoop& loop, Callback on_transition, ScriptProcess scripts)
    : loop_(loop),
      on_transition_(std::move(on_transition)),
      scripts_(loop, std::move(scripts)),
      tell_newcomers_(loop, [this] { tell_newcomers(); }),
      random_state_(static_cast<uint64_t>(monotonic_us())) {}

HealthChecker::~HealthChecker() = default;

HealthChecker::Checks::iterator HealthChecker::find(const ProbeTarget& target,
                                                    const HealthCheckConfig& config) {
  auto [begin, end] = checks_.equal_range(target.address);
  auto found =
      std::find_if(begin, end, [&](const auto& check) { return check.second->is(target, config); });
  return found == end ? checks_.end() : found;
}

HealthChecker::Checks::iterator HealthChecker::place_of(const Check& check) {
  return find(check.target(), check.config());
}

void HealthChecker::watch(Server& server, const PoolConfig& pool) {
  Watched& watched = watched_[&server];
  ProbeTarget target = target_of(server, pool);
  if (watched.check && watched.check->is(target, pool.health_check)) return;
  auto same = find(target, pool.health_check);
  bool is_new = same == checks_.end();
  if (watched.check && is_new && watched.check->servers().size() == 1) {
    auto moved = checks_.extract(place_of(*watched.check));
    moved.key() = target.address;
    moved.mapped()->set_config(std::move(target), pool.health_check);
    checks_.insert(std::move(moved));
    return;
  }
  leave(server, watched);
  if (is_new) {
    Address address = target.address;
    same = checks_.emplace(address, std::make_unique<Check>(*this, std::move(target),
                                                            pool.health_check, watched.health));
  }
  watched.check = same->second.get();
  watched.check->servers().push_back(&server);
  if (!is_new) {
    newcomers_.push_back(&server);
    tell_newcomers_.start(milliseconds(0));
  } else if (watched.health == Health::unknown) {
    watched.check->schedule_first();
  } else {
    watched.check->schedule();
  }
}

void HealthChecker::leave(Server& server, Watched& watched) {
  Check* check = std::exchange(watched.check, nullptr);
  if (!check) return;
  std::erase(check->servers(), &server);
  if (!check->servers().empty()) return;
  auto place = place_of(*check);
  check->stop();
  loop_.retire(std::move(place->second));
  checks_.erase(place);
}

void HealthChecker::forget(Server& server) {
  auto watched = watched_.find(&server);
  if (watched == watched_.end()) return;
  leave(server, watched->second);
  watched_.erase(watched);
}

void HealthChecker::check_now(Server& server) {
  auto watched = watched_.find(&server);
  if (watched != watched_.end()) watched->second.check->begin();
}

void HealthChecker::tell_newcomers() {
  for (Server* server : std::exchange(newcomers_, {})) {
    auto watched = watched_.find(server);
    if (watched == watched_.end()) continue;
    auto last = watched->second.check->last();
    if (last && on_result) on_result(*server, *last);
    tell(*server);
  }
}

// What the server's pool does not know yet. Load and wishes come first: a server that comes up
// overloaded is then never anything else.
void HealthChecker::tell(Server& server) {
  auto known = [&]() -> Watched* {
    auto watched = watched_.find(&server);
    bool has_results = watched != watched_.end() && watched->second.check->has_results();
    return has_results ? &watched->second : nullptr;
  };
  Watched* watched = known();
  if (watched && watched->check->overloaded() != watched->overloaded) {
    watched->overloaded = !watched->overloaded;
    if (on_overload) on_overload(server, watched->overloaded, watched->check->load_detail());
    watched = known();
  }
  if (watched && watched->check->wish() != watched->wish) {
    watched->wish = watched->check->wish();
    if (on_agent) on_agent(server, watched->wish, watched->check->detail());
    watched = known();
  }
  if (!watched || watched->check->health() == watched->health) return;
  const Check& check = *watched->check;
  Health before = std::exchange(watched->health, check.health());
  std::string reason = check.detail();
  if (check.overloaded()) reason += ", " + check.load_detail();
  on_transition_(server, {before, check.health(), std::move(reason)});
}

}  // namespace lb
