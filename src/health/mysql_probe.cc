// SPDX-License-Identifier: MIT
#include <mysql.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "health/probes.h"
#include "health/session_probe.h"

namespace lb {

namespace {

constexpr std::string_view kAskRole = "SELECT @@global.read_only";
// MySQL 8.4 no longer knows the old words, MariaDB before 10.5 and MySQL before 8.0.22 not yet the
// new ones.
constexpr std::string_view kAskLag = "SHOW REPLICA STATUS";
constexpr std::string_view kAskLagAsOf2019 = "SHOW SLAVE STATUS";
constexpr unsigned kSyntaxError = 1064;
// Ways to log in that never send the password as it is, nor ask a person for it.
constexpr const char* kLogins =
    "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519";

struct EndResult {
  void operator()(MYSQL_RES* result) const { mysql_free_result(result); }
};
using QueryResult = std::unique_ptr<MYSQL_RES, EndResult>;

// Logs in with libmariadb, then asks for read_only and, for max_lag, how far behind it is.
class MysqlProbe final : public SessionProbe {
 public:
  MysqlProbe(EventLoop& loop, const ProbeTarget& target, const HealthCheckConfig& config)
      : SessionProbe(loop, config),
        loop_(loop),
        address_(target.address),
        host_(address_.is_unix() ? "" : numeric_host(address_)),
        socket_(address_.unix_path()),
        source_(target.source ? numeric_host(*target.source) : "") {}
  ~MysqlProbe() override { drop(); }

 private:
  enum class Step { connecting, asking, storing, idle };
  enum class Question { role, lag };

  bool has_session() const override { return mysql_ != nullptr && step_ == Step::idle; }

  void log_in() override {
    if (int error = descriptor_error(); error != 0) return lacks_resources(strerror(error));
    mysql_ = mysql_init(nullptr);
    if (mysql_ == nullptr) return lacks_resources("out of memory");
    set_options();
    step_ = Step::connecting;
    auto text = [](const std::string& value) { return value.empty() ? nullptr : value.c_str(); };
    int waits = mysql_real_connect_start(&connected_, mysql_, text(host_), config_.user.c_str(),
                                         config_.password.c_str(), text(config_.database),
                                         address_.port(), text(socket_), 0);
    went_on(waits);
  }

  // No file of options is read unless one is asked for. What is read, once in the life of the
  // process, is /etc/services.
  void set_options() {
    mysql_options(mysql_, MYSQL_OPT_NONBLOCK, nullptr);  // on a stack of the size it finds right
    unsigned off = 0;
    mysql_options(mysql_, MYSQL_OPT_LOCAL_INFILE, &off);  // the server could ask for any file
    mysql_options(mysql_, MARIADB_OPT_RESTRICTED_AUTH, kLogins);
    mysql_options(mysql_, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    unsigned protocol = address_.is_unix() ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    mysql_options(mysql_, MYSQL_OPT_PROTOCOL, &protocol);
    if (!source_.empty()) mysql_options(mysql_, MYSQL_OPT_BIND, source_.c_str());
    mysql_options4(mysql_, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "lb");
  }

  // `waits` is what libmariadb waits for, 0 when the step is done.
  void went_on(int waits) {
    if (waits == 0) return step_done();
    int fd = mysql_get_socket(mysql_);
    if ((waits & MYSQL_WAIT_READ) != 0) {
      readable_.bind<&MysqlProbe::on_readable>(loop_, fd, IoEvent::kRead, this);
      readable_.arm();
    }
    if ((waits & MYSQL_WAIT_WRITE) != 0) {
      writable_.bind<&MysqlProbe::on_writable>(loop_, fd, IoEvent::kWrite, this);
      writable_.arm();
    }
  }

  void on_readable() { go_on(MYSQL_WAIT_READ); }
  void on_writable() { go_on(MYSQL_WAIT_WRITE); }

  void go_on(int ready) {
    stop_waiting();
    switch (step_) {
      case Step::connecting:
        return went_on(mysql_real_connect_cont(&connected_, mysql_, ready));
      case Step::asking:
        return went_on(mysql_real_query_cont(&failed_, mysql_, ready));
      case Step::storing:
        return went_on(mysql_store_result_cont(&stored_, mysql_, ready));
      case Step::idle:
        return;
    }
  }

  void step_done() {
    switch (step_) {
      case Step::connecting:
        if (connected_ == nullptr) return complain();
        return ask();
      case Step::asking:
        if (failed_ != 0) return complain();
        step_ = Step::storing;
        return went_on(mysql_store_result_start(&stored_, mysql_));
      case Step::storing:
        step_ = Step::idle;
        return take_rows(QueryResult(stored_));
      case Step::idle:
        return;
    }
  }

  void ask() override { ask(Question::role); }

  void ask(Question question) {
    question_ = question;
    step_ = Step::asking;
    std::string_view text = kAskRole;
    if (question == Question::lag) text = knows_new_words_ ? kAskLag : kAskLagAsOf2019;
    went_on(mysql_real_query_start(&failed_, mysql_, text.data(), text.size()));
  }

  void complain() {
    unsigned error = mysql_errno(mysql_);
    if (step_ == Step::asking && question_ == Question::lag && error == kSyntaxError &&
        knows_new_words_) {
      knows_new_words_ = false;
      return ask(Question::lag);
    }
    // Servers tell sessions that they end, so a session's first error may be its last word.
    lost(mysql_error(mysql_));
  }

  void take_rows(const QueryResult& result) {
    if (!result) return complain();
    if (question_ == Question::lag) return take_lag(*result);
    MYSQL_ROW row = mysql_fetch_row(result.get());
    if (row == nullptr || row[0] == nullptr) return refused("no value of read_only");
    // A number, or a word in versions that have several kinds of it.
    std::string_view read_only = row[0];
    if (read_only == "0" || read_only == "OFF") return is_primary();
    if (config_.max_lag) return ask(Question::lag);
    is_replica({});
  }

  // One row for each primary that it has; that which is furthest behind counts.
  void take_lag(MYSQL_RES& result) {
    unsigned count = mysql_num_fields(&result);
    const MYSQL_FIELD* fields = mysql_fetch_fields(&result);
    unsigned column = 0;
    while (column < count &&
           !std::string_view(fields[column].name).starts_with("Seconds_Behind_")) {
      ++column;
    }
    std::optional<milliseconds> lag;
    bool is_known = column < count && mysql_num_rows(&result) > 0;
    while (MYSQL_ROW row = is_known ? mysql_fetch_row(&result) : nullptr) {
      is_known = row[column] != nullptr;
      if (!is_known) break;
      milliseconds one(std::max(std::atoll(row[column]), 0LL) * 1000);
      lag = lag ? std::max(*lag, one) : one;
    }
    is_replica(is_known ? lag : std::nullopt);
  }

  void stop_waiting() {
    readable_.disarm();
    writable_.disarm();
  }

  // In the middle of something mysql_close() would try to say goodbye, and might wait for that.
  void drop() override {
    stop_waiting();
    if (mysql_ == nullptr) return;
    if (int fd = mysql_get_socket(mysql_); step_ != Step::idle && fd >= 0) shutdown(fd, SHUT_RDWR);
    mysql_close(mysql_);
    mysql_ = nullptr;
    step_ = Step::idle;
  }

  EventLoop& loop_;
  const Address address_;
  const std::string host_;
  const std::string socket_;
  const std::string source_;
  MYSQL* mysql_ = nullptr;
  MYSQL* connected_ = nullptr;
  MYSQL_RES* stored_ = nullptr;
  IoEvent readable_;
  IoEvent writable_;
  int failed_ = 0;
  Step step_ = Step::idle;
  Question question_ = Question::role;
  bool knows_new_words_ = true;
};

}  // namespace

std::unique_ptr<Probe> make_mysql_probe(const ProbeMeans& means, const ProbeTarget& target,
                                        const HealthCheckConfig& config) {
  return std::make_unique<MysqlProbe>(means.loop, target, config);
}

}  // namespace lb
