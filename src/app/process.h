// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "admin/admin_server.h"
#include "admin/control_api.h"
#include "app/access_logs.h"
#include "app/descriptors.h"
#include "app/list_follower.h"
#include "app/listening_sockets.h"
#include "app/memory_pressure.h"
#include "app/name_follower.h"
#include "app/overlay.h"
#include "app/rate_window.h"
#include "app/sandbox.h"
#include "app/saved_state.h"
#include "app/snapshot.h"
#include "app/span_exporter.h"
#include "app/state_file.h"
#include "app/tls_contexts.h"
#include "app/token_verifiers.h"
#include "app/worker.h"
#include "common/result.h"
#include "config/loader.h"
#include "health/checker.h"
#include "health/script_process.h"
#include "l7/router.h"
#include "net/connection_limit.h"
#include "net/event_loop.h"
#include "net/mailbox.h"
#include "net/port_table.h"
#include "pool/registry.h"

namespace lb {

// Where the configuration comes from.
struct ConfigSource {
  std::string name;  // for messages: the file as given on the command line
  // Reads it again, on reload.
  std::function<Result<LoadedConfig, std::vector<ConfigProblem>>()> load;
  std::filesystem::path directory = {};  // relative files are taken from here
};

// How many workers a process of this configuration has.
size_t worker_count(const Config& config);

// The running balancer: the control thread with its loop, the workers, and the way a configuration
// becomes a snapshot. Start and reload are the same path: check, open new sockets, bring registry
// and checks to the new state, publish. Control thread.
class Process final : public ControlReports, public admin::ControlApi {
 public:
  // `scripts` runs the scripts of checks; it was forked before any thread began. A sandbox is for
  // a program that is nothing but this balancer, and has no other thread when run() begins.
  Process(ConfigSource source, LoadedConfig loaded, ScriptProcess scripts = {},
          std::optional<Sandbox> sandbox = std::nullopt);
  ~Process() override;

  // Runs until a signal ends it. Returns the exit code: 0, or 1 when it could not start.
  int run();

  // As SIGHUP and SIGTERM do; from the control thread's callbacks.
  void reload();
  void terminate();
  // Called once, when every worker serves the first configuration.
  void on_ready(std::function<void()> callback) { on_ready_ = std::move(callback); }
  // Called when a signal or terminate() begins the end, before any listening socket is closed.
  void on_terminate(std::function<void()> callback) { on_terminate_ = std::move(callback); }

  EventLoop& loop() { return loop_; }
  const PoolRegistry& registry() const { return registry_; }
  const ConnectionLimit& connections() const { return connections_; }

  // ControlReports; worker threads.
  void connect_failed(Server& server) override;
  void keeps_failing(Server& server) override;
  void overload_changed(Server& server) override;

  // ControlApi
  int64_t uptime_ms() const override;
  admin::ProcessView process() const override;
  std::vector<admin::PoolView> pools() const override;
  std::vector<admin::ListenerView> listeners() const override;
  std::vector<admin::AlgorithmView> algorithms() const override;
  std::vector<admin::ServerView> servers() const override;
  std::map<std::string, size_t> server_statuses() const override;
  std::optional<admin::SessionsView> sessions(const std::string& pool,
                                              size_t at_most) const override;
  std::optional<admin::ServerHealthView> server_health(const std::string& id) const override;
  void set_state(const std::string& id, admin::WantedState state,
                 const admin::Outcome& outcome) override;
  void set_weight(const std::string& id, uint32_t weight, const admin::Outcome& outcome) override;
  void add_server(const admin::NewServer& server,
                  const admin::Reply<admin::ServerView>& reply) override;
  void remove_server(const std::string& id, const admin::Outcome& outcome) override;
  void set_algorithm(const std::string& pool, const std::string& algorithm,
                     const admin::Outcome& outcome) override;
  admin::ConfigView config() const override;
  void replace_config(const admin::NewConfig& config,
                      const admin::Reply<admin::ConfigView>& reply) override;
  void reload(const admin::Outcome& outcome) override;

 private:
  // Who waits for a new server's first check, at most until the timer rings.
  struct FirstCheck {
    admin::Reply<admin::ServerView> reply;
    Timer end;
  };
  // A server by its id, and the entry of the configuration that it belongs to.
  struct Found {
    Server* server;  // null while its name has no address
    Overlay::Key entry;
  };
  // What was open when memory became short.
  struct Held {
    uint32_t connections = 0;
    std::map<std::string, uint32_t> sessions = {};  // by listener, of which those of udp matter
  };
  struct Unresolved {
    const std::string* pool;
    const ServerConfig* entry;
  };

  // Who is to hear what came of a reload.
  using Outcomes = std::vector<admin::Outcome>;
  // What was noted while there was no log.
  using Notes = std::vector<std::pair<log::Level, std::string>>;

  Status<> start();
  // What needs privileges that the sandbox takes.
  Status<> open_addresses(Notes& notes);
  Status<> open_log(const log::Settings& written);
  Status<> open_files();
  void watch_signals();
  // Calls back when names that are new in `config` are resolved, or late. One at a time.
  void when_resolved(const Config& config, std::function<void()> callback);
  // Whether another whole configuration has to wait: the last one is not taken up yet, or not by
  // every worker, so that addresses that it removed are still taken.
  bool is_busy() const { return resolving_ || adoptions_due_ > 0; }
  // Begins what had to wait, one after another.
  void go_on();
  // What was read from the file, as a whole.
  void take_up(LoadedConfig loaded, Outcomes asked, bool is_first);
  // A file that was just read: those of TLS that it names are read, too.
  Status<> apply_file(Config file, Overlay overlay);
  // Without `contexts` those of TLS stay, without `verifiers` those of tokens.
  Status<> apply(Config file, Overlay overlay,
                 std::optional<TlsContexts::Set> contexts = std::nullopt,
                 std::optional<TokenVerifiers::Set> verifiers = std::nullopt);
  bool verifiers_changed();
  // Of an overlay that became something else at run time; `outcome` is told when it holds.
  void change(Overlay overlay, const admin::Outcome& outcome);
  void restore_states();
  std::optional<HealthCheckConfig> own_check(const Server& server) const;
  void load_replacement(const admin::NewConfig& config,
                        const admin::Reply<admin::ConfigView>& reply);
  void apply_replacement(LoadedConfig loaded, const admin::NewConfig& config,
                         const admin::Reply<admin::ConfigView>& reply);
  std::string etag() const;
  // The state file, at start: what it says is laid over the file, or takes its place.
  Status<> read_state(Notes& notes);
  void restore(SavedState state, Notes& notes);
  Status<> write_first_state();
  void follow_state_file();
  void save_state(StateFile::Callback callback);
  // Calls back when the present state holds for every worker and is saved.
  void acknowledge(const admin::Outcome& outcome);
  void names_changed();
  void lists_changed();
  Status<> check_reload(const Config& config) const;
  Status<> open_admin();
  void plan_sessions(const Config& config, const DescriptorPlan& plan);
  ListenerPlan plan_listener(const ListenerConfig& listener, const Pools& pools);
  std::shared_ptr<ConnectionLimit> limit_of(const ListenerConfig& listener);
  uint32_t most_sessions(const std::string& listener) const;
  void forget_limits();
  void look_at_memory();
  void hold_or_release();
  void tell_memory() const;
  void limit_connections();
  void keep_reserve();
  void trace();
  void forget_stats();
  void replace_sockets(SocketGroups sockets);
  void update_members();
  void plan_connections();
  void update_checks();
  void publish();
  void publish_soon();
  void health_changed(Server& server, const HealthChecker::Transition& transition);
  void status_changed(const Server& server, const StatusChange& change);
  void warn_if_mostly_down(const std::string& pool);
  void advance_states();
  void start_states_timer();
  void stop_workers();
  // Any thread.
  void wake(size_t worker);
  uint64_t version_everywhere() const;
  void adopted();
  // Calls back when every worker has the newest snapshot.
  void when_everywhere(std::function<void()> callback);
  void tell_waiting();
  void drained(size_t worker);
  void keep_house();
  // What all listeners counted, those that are gone too.
  RateWindow::Sample work_so_far() const;
  void tell_event(admin::EventView::Kind kind, const std::string& to,
                  const std::string& reason = "", const Server* server = nullptr,
                  const std::string& from = "");
  void tell_membership(const PoolRegistry::Changes& changes);
  void warn(const std::vector<ConfigProblem>& warnings) const;
  void refuse(const std::string& message, const Outcomes& asked,
              std::vector<ConfigProblem> problems = {});
  Result<Found, admin::Refusal> find_server(const std::string& id) const;
  // The entries whose name has no address yet, by pool.
  std::vector<Unresolved> unresolved() const;
  // A server was checked: tells those who wait for its first check.
  void checked(const Server& server);
  void tell_checked(const Overlay::Key& key);
  void quit();
  // The sandbox's hint, where it may be the reason.
  std::string with_reason(std::string message) const;
  // Of a start: ends with exit code 1.
  void give_up(const std::string& why);

  static constexpr std::chrono::milliseconds kHousekeeping{1000};

  const ConfigSource source_;
  std::optional<Sandbox> sandbox_;
  std::shared_ptr<const Config> file_;                  // as it is written
  std::shared_ptr<const Config> config_;                // with the overlay
  ConfigDocument file_document_;                        // of the file itself, as it was read last
  ConfigDocument document_;                             // of file_
  std::optional<SavedState::Replacement> replacement_;  // where file_ is not of the file
  Overlay overlay_;
  std::vector<ConfigProblem> first_warnings_;
  const size_t workers_;
  EventLoop loop_;
  Mailbox mailbox_;
  ConnectionLimit connections_;
  PortTable ports_;
  WorkerTeam team_;
  PoolRegistry registry_;
  HealthChecker checker_;
  NameFollower names_;
  ListFollower lists_;
  TlsContexts tls_;
  TokenVerifiers tokens_;
  std::string cookie_key_;  // of pools that have none of their own
  SocketGroups sockets_;
  AccessLogs access_logs_;
  std::shared_ptr<SpanExporter> spans_;        // null: requests are not traced
  std::shared_ptr<const Tracing> tracing_;     // likewise
  std::unique_ptr<admin::AdminServer> admin_;  // null where the configuration asks for none
  std::unique_ptr<StateFile> state_file_;      // null likewise
  MemoryPressure memory_;
  std::optional<Held> held_;       // while memory is short
  uint32_t most_connections_ = 0;  // as lowered to the descriptors there are
  LoweredConnections lowered_connections_;
  std::map<std::string, LoweredConnections> lowered_sessions_;  // by udp listener
  // Of removed listeners, while sessions still answer from them; wanted again they are taken back.
  SocketGroups draining_sockets_;
  // By listener; connections of a removed one still count there.
  std::map<std::string, std::shared_ptr<ConnectionLimit>> listener_limits_;
  std::map<std::string, std::shared_ptr<DatagramLimits>> datagram_limits_;
  std::map<std::string, std::shared_ptr<ClientLimits>> client_limits_;
  std::map<std::string, uint32_t> max_sessions_;  // of udp listeners, as lowered to what there is
  // By http listener, as last published.
  std::map<std::string, std::shared_ptr<const RouteTable>> routes_;
  std::map<std::string, std::shared_ptr<ListenerStats>> listener_stats_;
  RateWindow::Sample forgotten_work_;  // of listeners that are gone
  RateWindow rate_;
  uint64_t reloads_ = 0;
  uint64_t failed_reloads_ = 0;
  std::vector<std::unique_ptr<SignalEvent>> signals_;
  Timer publish_timer_;
  Timer states_timer_;  // ends ejections, lets shares grow
  Timer housekeeping_;
  std::function<void()> on_ready_;
  std::function<void()> on_terminate_;
  std::vector<std::pair<uint64_t, std::function<void()>>> waiting_for_workers_;
  Outcomes waiting_for_reload_;  // the next one
  std::deque<std::function<void()>> waiting_to_replace_;
  // By pool and server.
  std::map<Overlay::Key, std::unique_ptr<FirstCheck>> waiting_for_check_;
  const int64_t started_ms_;
  const uint64_t etag_seed_;
  uint64_t version_ = 0;
  size_t adoptions_due_ = 0;  // of snapshots that were posted, one for each worker
  bool resolving_ = false;    // a configuration waits for its names
  bool reload_waits_ = false;
  uint64_t announced_version_ = 0;  // told to the service manager when all workers have it
  int64_t published_ms_ = 0;
  uint64_t log_lines_lost_ = 0;
  std::set<size_t> drained_;
  bool ready_ = false;
  bool terminating_ = false;
  int exit_code_ = 0;
  bool workers_stopped_ = false;  // written once no other thread runs
};

}  // namespace lb
