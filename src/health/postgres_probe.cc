// SPDX-License-Identifier: MIT
#include <libpq-fe.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "health/probes.h"
#include "health/session_probe.h"

namespace lb {

namespace {

// Where libpq finds nothing: no password file, certificates or keys of the user that lb runs as.
constexpr const char* kNoFile = "/dev/null/none";

constexpr const char* kAskRole = "SELECT pg_is_in_recovery()";
// A replica that has replayed all that it received, from a primary that it is connected to, is not
// behind, however long ago the last transaction was. Users without pg_monitor see that there is a
// receiver, too. Only replicas evaluate what only replicas have.
constexpr const char* kAskLag =
    "SELECT r, CASE WHEN NOT r THEN NULL"
    " WHEN pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn()"
    " AND EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 0"
    " ELSE (EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000)::bigint"
    " END FROM pg_is_in_recovery() AS r";

// "connection to server at "10.0.0.1", port 5432 failed: FATAL:  ..." without what is known.
std::string_view without_address(std::string_view message) {
  constexpr std::string_view kBefore = " failed: ";
  size_t found = message.find(kBefore);
  size_t end = message.find('\n');
  if (!message.starts_with("connection to server") || found >= end) return message;
  return message.substr(found + kBefore.size());
}

struct EndResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using QueryResult = std::unique_ptr<PGresult, EndResult>;

// Logs in with libpq, then asks pg_is_in_recovery() and, for max_lag, how far behind it is.
class PostgresProbe final : public SessionProbe {
 public:
  PostgresProbe(EventLoop& loop, const ProbeTarget& target, const HealthCheckConfig& config)
      : SessionProbe(loop, config), loop_(loop), address_(target.address) {}
  ~PostgresProbe() override { drop(); }

 private:
  bool has_session() const override { return logged_in_; }

  void log_in() override {
    if (int error = descriptor_error(); error != 0) return lacks_resources(strerror(error));
    std::string host = address_.is_unix() ? socket_directory() : numeric_host(address_);
    std::string port = address_.is_unix() ? socket_port() : std::to_string(address_.port());
    if (port.empty())
      return refused("a unix socket of PostgreSQL is called /DIRECTORY/.s.PGSQL.PORT");
    const std::array<const char*, 15> names = {address_.is_unix() ? "host" : "hostaddr",
                                               "port",
                                               "user",
                                               "password",
                                               "dbname",
                                               "application_name",
                                               "passfile",
                                               "sslmode",
                                               "sslcert",
                                               "sslkey",
                                               "sslrootcert",
                                               "sslcrl",
                                               "gssencmode",
                                               "target_session_attrs",
                                               nullptr};
    // Any will do, and this one is there on nearly every server.
    const std::string database = config_.database.empty() ? "postgres" : config_.database;
    const std::array<const char*, 15> values = {host.c_str(),
                                                port.c_str(),
                                                config_.user.c_str(),
                                                config_.password.c_str(),
                                                database.c_str(),
                                                "lb",
                                                kNoFile,
                                                "prefer",
                                                kNoFile,
                                                kNoFile,
                                                kNoFile,
                                                kNoFile,
                                                "disable",
                                                "any",
                                                nullptr};
    connection_ = PQconnectStartParams(names.data(), values.data(), 0);
    if (connection_ == nullptr) return lacks_resources("out of memory");
    PQsetNoticeProcessor(
        connection_, [](void*, const char*) {}, nullptr);
    if (PQstatus(connection_) == CONNECTION_BAD) return failed();
    wait_for(PGRES_POLLING_WRITING);
  }

  std::string socket_directory() const {
    std::string_view path = address_.unix_path();
    return std::string(path.substr(0, path.rfind('/')));
  }

  std::string socket_port() const {
    constexpr std::string_view kName = "/.s.PGSQL.";
    std::string_view path = address_.unix_path();
    size_t name = path.rfind('/');
    if (name == std::string_view::npos || !path.substr(name).starts_with(kName)) return "";
    return std::string(path.substr(name + kName.size()));
  }

  // libpq may go on with another socket of the same number: it is watched anew after each step.
  void wait_for(PostgresPollingStatusType what) {
    bool write = what == PGRES_POLLING_WRITING;
    IoEvent& event = write ? writable_ : readable_;
    event.bind<&PostgresProbe::go_on>(loop_, PQsocket(connection_),
                                      write ? IoEvent::kWrite : IoEvent::kRead, this);
    event.arm();
  }

  void stop_waiting() {
    readable_.disarm();
    writable_.disarm();
  }

  void go_on() {
    stop_waiting();
    if (logged_in_) return take_answer();
    PostgresPollingStatusType next = PQconnectPoll(connection_);
    if (next == PGRES_POLLING_FAILED) return failed();
    if (next != PGRES_POLLING_OK) return wait_for(next);
    PQsetnonblocking(connection_, 1);
    logged_in_ = true;
    ask();
  }

  void ask() override {
    is_primary_ = false;
    lag_ = {};
    complaint_.clear();
    // It is new or has answered in full, so nothing is left unsent: one flush sends this, too.
    if (PQsendQuery(connection_, config_.max_lag ? kAskLag : kAskRole) != 1) return failed();
    if (PQflush(connection_) != 0) return failed();
    wait_for(PGRES_POLLING_READING);
  }

  void take_answer() {
    if (PQconsumeInput(connection_) != 1) return failed();
    while (PQisBusy(connection_) == 0) {
      QueryResult result(PQgetResult(connection_));
      if (!result) return tell();
      take_row(*result);
    }
    if (PQstatus(connection_) == CONNECTION_BAD) return failed();
    wait_for(PGRES_POLLING_READING);
  }

  void take_row(const PGresult& result) {
    if (PQresultStatus(&result) != PGRES_TUPLES_OK) {
      complaint_ = PQresultErrorMessage(&result);
      if (complaint_.empty()) complaint_ = "an answer other than rows";
    } else if (PQntuples(&result) != 1 || PQnfields(&result) != (config_.max_lag ? 2 : 1)) {
      complaint_ = "an answer to something else";
    } else {
      is_primary_ = std::string_view(PQgetvalue(&result, 0, 0)) == "f";
      if (config_.max_lag && PQgetisnull(&result, 0, 1) == 0) {
        // Clocks differ: the primary's time may be ahead of the replica's.
        long long lag_ms = std::atoll(PQgetvalue(&result, 0, 1));
        lag_ = milliseconds(std::max(lag_ms, 0LL));
      }
    }
  }

  void tell() {
    // A server that shuts down says so, and is gone.
    if (PQstatus(connection_) == CONNECTION_BAD) return lost(complaint_);
    if (!complaint_.empty()) return refused(complaint_);
    if (is_primary_) return is_primary();
    is_replica(lag_);
  }

  void failed() { lost(without_address(PQerrorMessage(connection_))); }

  // On a non-blocking connection this waits for nobody.
  void drop() override {
    stop_waiting();
    if (connection_ != nullptr) PQfinish(connection_);
    connection_ = nullptr;
    logged_in_ = false;
  }

  EventLoop& loop_;
  const Address address_;
  PGconn* connection_ = nullptr;
  IoEvent readable_;
  IoEvent writable_;
  std::string complaint_;
  std::optional<milliseconds> lag_;
  bool is_primary_ = false;
  bool logged_in_ = false;
};

}  // namespace

std::unique_ptr<Probe> make_postgres_probe(const ProbeMeans& means, const ProbeTarget& target,
                                           const HealthCheckConfig& config) {
  return std::make_unique<PostgresProbe>(means.loop, target, config);
}

}  // namespace lb
