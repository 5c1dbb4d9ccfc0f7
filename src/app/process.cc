// SPDX-License-Identifier: MIT
#include "app/process.h"

#include <algorithm>
#include <utility>

#include "app/service_notification.h"
#include "app/usable_cpus.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/random.h"
#include "pool/redis_store.h"

namespace lb {

namespace {

constexpr milliseconds kPublishPause{50};
// How long new host names may hold up a start or reload: longer than a healthy DNS takes.
constexpr milliseconds kFirstAnswers{3000};

std::set<std::string> host_names(const Config& config) {
  std::set<std::string> hosts;
  for (const auto& [name, pool] : config.pools) {
    for (const ServerConfig& server : pool.servers) {
      if (!server.host.empty()) hosts.insert(server.host);
    }
  }
  return hosts;
}

std::string random_key() {
  std::string key(32, '\0');
  fill_random(key.data(), key.size());
  return key;
}

}  // namespace

size_t worker_count(const Config& config) {
  return config.runtime.workers > 0 ? config.runtime.workers : usable_cpus();
}

Process::Process(ConfigSource source, LoadedConfig loaded, ScriptProcess scripts,
                 std::optional<Sandbox> sandbox)
    : source_(std::move(source)),
      sandbox_(std::move(sandbox)),
      file_(std::make_shared<const Config>(std::move(loaded.config))),
      config_(file_),
      file_document_(std::move(loaded.document)),
      document_(file_document_),
      first_warnings_(std::move(loaded.warnings)),
      workers_(worker_count(*config_)),
      mailbox_(loop_),
      connections_(config_->runtime.max_connections, workers_,
                   [this](size_t worker) { wake(worker); }),
      team_(workers_, mailbox_, *this, connections_, ports_),
      registry_(workers_),
      checker_(
          loop_,
          [this](Server& server, const HealthChecker::Transition& transition) {
            health_changed(server, transition);
          },
          std::move(scripts)),
      names_(loop_, [this] { names_changed(); }),
      lists_(loop_, [this] { lists_changed(); }),
      tls_(loop_),
      cookie_key_(random_key()),
      access_logs_(workers_),
      publish_timer_(loop_, [this] { publish(); }),
      states_timer_(loop_, [this] { advance_states(); }),
      housekeeping_(loop_, [this] { keep_house(); }),
      started_ms_(monotonic_ms()),
      etag_seed_(mix64(static_cast<uint64_t>(unix_ms()) ^ static_cast<uint64_t>(monotonic_us()))) {
  registry_.make_store = [this](const PoolConfig& pool, std::shared_ptr<StickyTable> table) {
    return RedisStore::make(loop_, mailbox_, pool, std::move(table), tls_.of_store(pool.name));
  };
  registry_.on_status_changed = [this](const Server& server, const StatusChange& change) {
    status_changed(server, change);
  };
  checker_.on_result = [this](const Server& server, CheckRecord record) {
    registry_.note_check(server, std::move(record));
    checked(server);
  };
  checker_.on_overload = [this](Server& server, bool overloaded, const std::string& reason) {
    registry_.set_overloaded(server, overloaded, reason);
  };
  checker_.on_agent = [this](Server& server, const AgentWish& wish, const std::string& reason) {
    registry_.set_agent_wish(server, wish, reason);
    publish_soon();
  };
  team_.on_adopted = [this] { adopted(); };
  team_.on_drained = [this](size_t worker) { drained(worker); };
}

Process::~Process() {
  stop_workers();
}

// Their sessions hold leases and counts, so they go before everything that counts.
void Process::stop_workers() {
  for (auto& worker : team_.workers) worker->stop();
  workers_stopped_ = true;
  team_.workers.clear();
}

void Process::wake(size_t worker) {
  if (!workers_stopped_) team_.workers[worker]->post_resume_accepting();
}

int Process::run() {
  if (auto started = start(); !started) give_up(started.error().message);
  loop_.run();
  stop_workers();
  access_logs_.close();
  if (spans_) spans_->close();
  sockets_.clear();
  if (exit_code_ == 0) log::info("stopped");
  return exit_code_;
}

void Process::when_resolved(const Config& config, std::function<void()> callback) {
  std::set<std::string> hosts = host_names(config);
  names_.add(hosts);
  resolving_ = true;
  names_.when_answered(hosts, kFirstAnswers, [this, callback = std::move(callback)] {
    resolving_ = false;
    callback();
    // Else the last worker that takes it up sees to it.
    if (!is_busy()) mailbox_.post([this] { go_on(); });
  });
}

void Process::names_changed() {
  if (version_ == 0) return;
  update_members();
  publish_soon();
}

// What takes effect at start only.
Status<> Process::check_reload(const Config& config) const {
  bool has_admin = config.admin.has_value();
  bool same_admin = has_admin == config_->admin.has_value() &&
                    (!has_admin || config.admin->address == config_->admin->address);
  if (!same_admin) return fail("admin.address: takes effect at start; restart to change it");
  // With `auto` at both ends nothing was changed, whatever CPUs the process may use by now.
  bool changed = config.runtime.workers != config_->runtime.workers;
  if (changed && worker_count(config) != workers_) {
    return fail("runtime.workers: takes effect at start; restart to change it");
  }
  if (config.sandbox.user != config_->sandbox.user) {
    return fail("runtime.user: takes effect at start; restart to change it");
  }
  if (config.sandbox.enabled != config_->sandbox.enabled) {
    return fail("runtime.sandbox: takes effect at start; restart to change it");
  }
  return sandbox_ ? sandbox_->admits(config) : Done{};
}

// Everything that can fail comes first and changes nothing.
Status<> Process::apply(Config file, Overlay overlay, std::optional<TlsContexts::Set> contexts,
                        std::optional<TokenVerifiers::Set> verifiers) {
  std::vector<std::string> dropped;
  Config config = with_overlay(file, overlay, dropped);
  SocketGroups known = sockets_;
  known.insert(draining_sockets_.begin(), draining_sockets_.end());
  auto sockets = open_sockets(config, known, workers_);
  if (!sockets) return fail(sockets.error().message);
  auto access_logs = access_logs_.open(config);
  if (!access_logs) return fail(access_logs.error().message);
  bool first = version_ == 0;
  if (!first && !(config.log == config_->log)) {
    if (auto opened = log::configure(config.log); !opened) {
      return fail("log.output: " + opened.error().message);
    }
  }
  if (contexts) tls_.adopt(std::move(*contexts));
  access_logs_.use(std::move(*access_logs));
  if (verifiers) tokens_.adopt(std::move(*verifiers));
  replace_sockets(std::move(*sockets));
  adjust_sockets(config, sockets_);
  for (const std::string& message : dropped) log::warning("{}", message);
  overlay_ = std::move(overlay);
  file_ = std::make_shared<const Config>(std::move(file));
  config_ = std::make_shared<const Config>(std::move(config));
  trace();
  names_.add(host_names(*config_));
  names_.keep_only(host_names(*config_));
  lists_.follow(*config_);
  if (admin_) admin_->set_access(*config_->admin, tls_.of_admin());
  follow_state_file();
  update_members();
  registry_.set_tls(tls_.of_pools());
  publish();
  return Done{};
}

// By the newest configuration. A collector that is not named any more still gets what is on its
// way.
void Process::trace() {
  const auto& wanted = config_->tracing;
  if (!wanted) {
    tracing_.reset();
    spans_.reset();
    return;
  }
  if (!spans_ || !spans_->goes_to(*wanted)) {
    spans_ = std::make_shared<SpanExporter>(*wanted, workers_);
  }
  tracing_ = std::make_shared<const Tracing>(Tracing{spans_, wanted->sample_percent});
}

void Process::replace_sockets(SocketGroups sockets) {
  for (const auto& [key, group] : sockets) draining_sockets_.erase(key);
  for (auto& [key, group] : sockets_) {
    if (group->takes_datagrams() && !sockets.contains(key)) {
      draining_sockets_.emplace(key, std::move(group));
    }
  }
  sockets_ = std::move(sockets);
}

void Process::update_members() {
  int64_t drain_until_ms = monotonic_ms() + config_->runtime.drain_timeout.count();
  auto changes = registry_.apply(*config_, names_.names(), drain_until_ms);
  tell_membership(changes);
  for (Server* server : changes.removed) {
    checker_.forget(*server);
    log::info("server {}/{} removed, drains", server->pool(), server->name());
  }
  if (version_ > 0) {
    for (Server* server : changes.added) {
      log::info("server {}/{} added", server->pool(), server->name());
    }
  }
  plan_connections();
  restore_states();
  update_checks();
}

void Process::update_checks() {
  registry_.for_each([this](Server& server, const PoolConfig& pool) {
    if (auto own = own_check(server)) {
      PoolConfig with_own = pool;
      with_own.health_check = std::move(*own);
      checker_.watch(server, with_own);
    } else if (pool.health_check.enabled) {
      checker_.watch(server, pool);
    } else {
      checker_.forget(server);
    }
  });
}

void Process::publish() {
  publish_timer_.stop();
  published_ms_ = monotonic_ms();
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->version = ++version_;
  snapshot->drain_timeout = config_->runtime.drain_timeout;
  snapshot->pools = registry_.pools();
  std::erase_if(routes_,
                [this](const auto& one) { return !config_->listeners.contains(one.first); });
  for (const auto& [name, listener] : config_->listeners) {
    snapshot->listeners[name] = plan_listener(listener, snapshot->pools);
  }
  for (auto& worker : team_.workers) worker->post_snapshot(snapshot);
  adoptions_due_ += workers_;
  start_states_timer();
}

ListenerPlan Process::plan_listener(const ListenerConfig& listener, const Pools& pools) {
  ListenerPlan plan;
  plan.config = std::shared_ptr<const ListenerConfig>(config_, &listener);
  if (!listener.pool.empty()) plan.pool = pools.at(listener.pool);
  if (!listener.routes.empty()) {
    for (const std::string& pool : pools_of(listener)) plan.routed[pool] = pools.at(pool);
  }
  plan.tls = tls_.of_listener(listener.name);
  plan.limit = limit_of(listener);
  plan.access_log = access_logs_.log_of(listener);
  plan.tracing = tracing_;
  auto& stats = listener_stats_[listener.name];
  if (!stats) stats = std::make_shared<ListenerStats>(workers_);
  plan.stats = stats;
  plan.sockets.resize(workers_);
  for (const ListenAddress& address : listener.addresses) {
    const auto& sockets = sockets_[socket_key(listener.protocol, address)]->sockets();
    for (size_t i = 0; i < sockets.size(); ++i) plan.sockets[i].push_back(sockets[i]);
  }
  if (listener.protocol == Protocol::http) {
    auto& table = routes_[listener.name];
    plan.protocol_plan = table =
        make_route_table(listener.http, pools, table.get(), tokens_.current(), cookie_key_);
  }
  if (listener.protocol != Protocol::udp) {
    auto& limits = client_limits_[listener.name];
    if (!limits) limits = std::make_shared<ClientLimits>();
    limits->set(listener.client_limits);
    plan.clients = limits;
  }
  if (listener.protocol == Protocol::udp) {
    auto& limits = datagram_limits_[listener.name];
    if (!limits) limits = std::make_shared<DatagramLimits>(workers_);
    limits->set(listener.datagram_rate, listener.datagram_rate_per_source);
    plan.datagrams = limits;
  }
  return plan;
}

// The first change goes out at once, more of them together a little later.
void Process::publish_soon() {
  if (publish_timer_.pending()) return;
  milliseconds since(monotonic_ms() - published_ms_);
  publish_timer_.start(since >= kPublishPause ? milliseconds(0) : kPublishPause - since);
}

void Process::health_changed(Server& server, const HealthChecker::Transition& transition) {
  if (transition.to != Health::unhealthy) server.avoid_until_ms.store(0, std::memory_order_relaxed);
  registry_.set_health(server, transition.to, transition.reason);
  if (transition.to != Health::unhealthy) return;
  if (config_->pools.at(server.pool()).on_down != OnDown::close) return;
  publish();  // first, so that no new connection goes there
  for (auto& worker : team_.workers) worker->post_end_sessions(&server, CloseReason::server_down);
}

void Process::status_changed(const Server& server, const StatusChange& change) {
  tell_event(admin::EventView::Kind::health, to_string(change.to), change.reason, &server,
             to_string(change.from));
  log::info("server {}/{} is {} (was {}): {}", server.pool(), server.name(), to_string(change.to),
            to_string(change.from), change.reason);
  publish_soon();
  if (!is_usable(change.to)) warn_if_mostly_down(server.pool());
}

void Process::warn_if_mostly_down(const std::string& pool) {
  size_t all = 0;
  size_t unhealthy = 0;
  size_t usable = 0;
  registry_.for_each([&](const Server& server, const PoolConfig& config) {
    if (config.name != pool) return;
    ++all;
    ServerStatus status = registry_.status(server);
    if (status == ServerStatus::unhealthy) ++unhealthy;
    if (is_usable(status)) ++usable;
  });
  if (usable == 0) {
    log::error("pool {}: no server is usable", pool);
  } else if (unhealthy * 2 > all) {
    log::warning("pool {}: {} of {} servers are unhealthy", pool, unhealthy, all);
  }
}

void Process::connect_failed(Server& server) {
  // By then the server may be gone: the checker only compares the pointer.
  mailbox_.post([this, suspect = &server] { checker_.check_now(*suspect); });
}

void Process::keeps_failing(Server& server) {
  // The registry, too, only compares the pointer first.
  mailbox_.post([this, failing = &server] { registry_.eject(*failing); });
}

void Process::overload_changed(Server& server) {
  mailbox_.post([this, changed = &server] { registry_.follow_response_overload(*changed); });
}

void Process::advance_states() {
  registry_.advance();
  if (registry_.dirty()) return publish_soon();
  start_states_timer();
}

void Process::start_states_timer() {
  states_timer_.stop();
  if (auto next_ms = registry_.next_advance_ms()) {
    states_timer_.start(milliseconds(std::max<int64_t>(0, *next_ms - monotonic_ms())));
  }
}

// The newest snapshot that every worker has taken up.
uint64_t Process::version_everywhere() const {
  uint64_t version = version_;
  for (const WorkerTeam::Load& load : team_.loads) {
    version = std::min(version, load.version.load(std::memory_order_acquire));
  }
  return version;
}

void Process::adopted() {
  registry_.collect();
  --adoptions_due_;
  tell_waiting();
  // Posted, and by the last one alone: the snapshot that it sent back is freed after this, and with
  // it what holds addresses that are gone.
  bool waits = reload_waits_ || !waiting_to_replace_.empty();
  if (adoptions_due_ == 0 && waits) mailbox_.post([this] { go_on(); });
  if (announced_version_ == 0 || version_everywhere() < announced_version_) return;
  announced_version_ = 0;
  if (terminating_) return;
  notify_service("READY=1");
  if (std::exchange(ready_, true)) return;
  log::info("ready: {} listeners, {} pools, {} workers", config_->listeners.size(),
            config_->pools.size(), workers_);
  if (on_ready_) on_ready_();
}

void Process::keep_house() {
  rate_.note(work_so_far());
  look_at_memory();
  keep_reserve();
  registry_.collect();
  for (Server* server : registry_.overdue(monotonic_ms())) {
    for (auto& worker : team_.workers) {
      worker->post_end_sessions(server, CloseReason::server_removed);
    }
  }
  std::erase_if(draining_sockets_, [](const auto& entry) { return !entry.second->in_use(); });
  forget_limits();
  forget_stats();
  if (uint64_t lost = log::lost(); lost != log_lines_lost_) {
    log::warning("{} log lines were lost: the output is too slow", lost - log_lines_lost_);
    log_lines_lost_ = lost;
  }
  access_logs_.keep_house();
  if (sandbox_) sandbox_->tell_refused();
  housekeeping_.start(kHousekeeping);
}

void Process::warn(const std::vector<ConfigProblem>& warnings) const {
  for (const ConfigProblem& problem : warnings) {
    log::warning("{}", problem.to_string(source_.name));
  }
}

}  // namespace lb
