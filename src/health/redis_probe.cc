// SPDX-License-Identifier: MIT
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "health/probes.h"
#include "health/session_probe.h"
#include "net/resp.h"
#include "net/socket.h"

namespace lb {

namespace {

// AUTH and SELECT once, then PING and, for a role, ROLE.
class RedisProbe final : public SessionProbe {
 public:
  RedisProbe(EventLoop& loop, const ProbeTarget& target, const HealthCheckConfig& config)
      : SessionProbe(loop, config), loop_(loop), target_(target) {}

 private:
  bool has_session() const override { return logged_in_; }

  void log_in() override {
    auto fd = connect_stream(target_.address, target_.source ? &*target_.source : nullptr);
    if (!fd) {
      if (lb::lacks_resources(fd.error())) return lacks_resources(strerror(fd.error()));
      return lost(strerror(fd.error()));
    }
    fd_ = std::move(*fd);
    readable_.bind<&RedisProbe::on_readable>(loop_, fd_.get(), IoEvent::kRead, this);
    writable_.bind<&RedisProbe::on_writable>(loop_, fd_.get(), IoEvent::kWrite, this);
    writable_.arm();
  }

  void on_writable() {
    if (int error = connect_state(fd_.get()); error != 0) {
      if (error != EINPROGRESS) lost(strerror(error));
      return;
    }
    writable_.disarm();
    ask();
  }

  // A few hundred bytes into an empty buffer: if they do not fit, nothing moves there.
  void ask() override {
    std::string commands;
    awaited_ = 1;
    if (!logged_in_ && !(config_.user.empty() && config_.password.empty())) {
      ++awaited_;
      commands += config_.user.empty() ? resp_command({"AUTH", config_.password})
                                       : resp_command({"AUTH", config_.user, config_.password});
    }
    if (!logged_in_ && !config_.database.empty()) {
      ++awaited_;
      commands += resp_command({"SELECT", config_.database});
    }
    commands += resp_command({"PING"});
    if (config_.role) {
      ++awaited_;
      commands += resp_command({"ROLE"});
    }
    received_.clear();
    ssize_t sent = send(fd_.get(), commands.data(), commands.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(commands.size())) return lost(strerror(errno));
    readable_.arm();
  }

  void on_readable() {
    char buffer[4096];
    ssize_t got = recv(fd_.get(), buffer, sizeof(buffer), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got < 0) return lost(strerror(errno));
    if (got == 0) return lost("closed by the server");
    received_.append(buffer, static_cast<size_t>(got));
    while (awaited_ > 0) {
      RespParse reply = parse_resp(received_);
      if (reply.state == RespParse::State::incomplete) return;
      if (reply.state == RespParse::State::invalid) return refused("no answer of Redis");
      if (reply.value.kind == RespValue::Kind::error) return refused(reply.value.text);
      received_.erase(0, reply.length);
      last_ = std::move(reply.value);
      --awaited_;
    }
    if (!received_.empty()) return refused("an answer to nothing that was asked");
    readable_.disarm();
    logged_in_ = true;
    tell();
  }

  void tell() {
    if (!config_.role) return answered(last_.text);
    bool names_role = last_.kind == RespValue::Kind::array && !last_.items.empty();
    std::string role = names_role ? last_.items.front().text : "";
    if (role == "master") return is_primary();
    if (role == "slave") return is_replica({});
    refused("is neither primary nor replica: " + role);
  }

  void drop() override {
    readable_.disarm();
    writable_.disarm();
    fd_.reset();
    logged_in_ = false;
  }

  EventLoop& loop_;
  const ProbeTarget target_;
  Fd fd_;
  IoEvent readable_;
  IoEvent writable_;
  std::string received_;
  RespValue last_;
  int awaited_ = 0;
  bool logged_in_ = false;
};

}  // namespace

std::unique_ptr<Probe> make_redis_probe(const ProbeMeans& means, const ProbeTarget& target,
                                        const HealthCheckConfig& config) {
  return std::make_unique<RedisProbe>(means.loop, target, config);
}

}  // namespace lb
