// SPDX-License-Identifier: MIT
#include "health/session_probe.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "common/fd.h"
#include "common/log.h"

namespace lb {

namespace {

constexpr size_t kLongestDetail = 200;

std::string seconds(milliseconds lag) {
  return fmt::format("{:.1f} s behind", static_cast<double>(lag.count()) / 1000);
}

}  // namespace

std::optional<milliseconds> ReplayLag::add(std::optional<milliseconds> told, int64_t now_ms) {
  if (bound_) *bound_ += milliseconds(now_ms - at_ms_);
  if (told) bound_ = bound_ ? std::min(*bound_, *told) : *told;
  at_ms_ = now_ms;
  return bound_;
}

SessionProbe::SessionProbe(EventLoop& loop, const HealthCheckConfig& config)
    : config_(config), loop_(loop), tell_(loop, [this] {
        auto done = std::exchange(done_, nullptr);
        done(std::exchange(result_, {}));
      }) {}

void SessionProbe::start(Callback done) {
  done_ = std::move(done);
  renewed_ = !has_session();
  if (renewed_) {
    log_in();
  } else {
    ask();
  }
}

void SessionProbe::cancel() {
  if (!done_) return;
  tell_.stop();
  done_ = nullptr;
  drop();
}

// The caller may be within start(), or have more to do.
void SessionProbe::conclude(ProbeResult result) {
  result_ = std::move(result);
  tell_.start(milliseconds(0));
}

// One answer is enough: writes to a replica fail, however often it is asked.
bool SessionProbe::is_wrong_role(DatabaseRole role) {
  if (!config_.role || *config_.role == role) return false;
  const char* detail =
      role == DatabaseRole::primary ? "is a primary, no replica" : "is a replica, no primary";
  conclude({.detail = detail, .decides = true});
  return true;
}

void SessionProbe::is_primary() {
  if (is_wrong_role(DatabaseRole::primary)) return;
  conclude({.passed = true, .detail = "primary"});
}

void SessionProbe::is_replica(std::optional<milliseconds> told) {
  if (is_wrong_role(DatabaseRole::replica)) return;
  if (!config_.max_lag) return conclude({.passed = true, .detail = "replica"});
  auto lag = lag_.add(told, loop_.now_ms());
  if (!lag) return conclude({.detail = "replica, does not know how far behind"});
  conclude({.passed = *lag <= *config_.max_lag, .detail = "replica, " + seconds(*lag)});
}

void SessionProbe::answered(std::string detail) {
  conclude({.passed = true, .detail = std::move(detail)});
}

// What is dropped may be what `why` stands in.
void SessionProbe::refused(std::string_view why) {
  std::string detail = first_line(why);
  drop();
  conclude({.detail = std::move(detail)});
}

void SessionProbe::lost(std::string_view why) {
  std::string detail = first_line(why);
  drop();
  if (renewed_) return conclude({.detail = std::move(detail)});
  renewed_ = true;
  log_in();
}

void SessionProbe::lacks_resources(std::string_view why) {
  std::string detail = first_line(why);
  drop();
  conclude({.made = false, .detail = std::move(detail)});
}

std::string first_line(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  size_t begin = std::min(text.find_first_not_of(kBlank), text.size());
  text.remove_prefix(begin);
  text = text.substr(0, std::min(text.find_first_of("\r\n"), kLongestDetail));
  return std::string(text.substr(0, text.find_last_not_of(kBlank) + 1));
}

std::string numeric_host(const Address& address) {
  std::string text = address.to_string();
  text.resize(text.rfind(':'));
  return text.starts_with('[') ? text.substr(1, text.size() - 2) : text;
}

int descriptor_error() {
  Fd one(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return one ? 0 : errno;
}

}  // namespace lb
