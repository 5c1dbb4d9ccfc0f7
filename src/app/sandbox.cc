// SPDX-License-Identifier: MIT
#include "app/sandbox.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "app/capabilities.h"
#include "app/file_rules.h"
#include "app/system_calls.h"
#include "common/log.h"

namespace lb {

Result<Sandbox> Sandbox::plan(const Config& config, const std::filesystem::path& config_file) {
  Sandbox sandbox;
  if (!config.sandbox.user.empty()) {
    auto user = find_user(config.sandbox.user);
    if (!user) return fail("runtime.user: " + user.error().message);
    sandbox.user_ = std::move(*user);
  }
  sandbox.is_on_ = LB_SANDBOX && config.sandbox.enabled;
  if (sandbox.is_on_) sandbox.files_ = file_rules(config, config_file);
  return sandbox;
}

Status<> Sandbox::enter() {
  if (user_ || is_on_) {
    auto dropped = keep_low_ports_alone(user_ ? &*user_ : nullptr);
    if (!dropped) return fail("runtime.user: " + dropped.error().message);
  }
  if (!is_on_) return Done{};
  auto failed = [](const Error& error) {
    return fail("runtime.sandbox: " + error.message + "; with 'sandbox: off' lb runs without");
  };
  if (auto refused = refuse_new_privileges(); !refused) return failed(refused.error());
  landlock_ = landlock_version();
  if (landlock_ > 0) {
    if (auto restricted = restrict_files(files_); !restricted) return failed(restricted.error());
  }
  if (has_system_call_filters()) {
    auto system_calls = restrict_system_calls();
    if (!system_calls) return failed(system_calls.error());
    system_calls_ = *system_calls;
  }
  entered_ = true;
  return Done{};
}

Status<> Sandbox::admits(const Config& config) const {
  if (!limits_files()) return Done{};
  std::string outside = first_outside(config, files_);
  if (outside.empty()) return Done{};
  return fail(outside +
              " is in no directory that this process may use: the sandbox was made at start; "
              "restart to use it");
}

std::string Sandbox::with_reason(std::string message) const {
  if (entered_ && message.ends_with(strerror(EACCES))) {
    message +=
        " (in the sandbox a file must be in a directory that was named at start, restart to name "
        "another, and be open to the user of lb, even if that is root: docs/sandbox.md)";
  }
  return message;
}

void Sandbox::tell() const {
  if (!is_on_) {
    if (user_) log::info("user {}, capabilities: {}", user_->name, capabilities_in_words());
    return;
  }
  auto number_or_all = [](size_t number) {
    return number > 0 ? fmt::format("{}", number) : std::string("all");
  };
  log::info("sandbox: {}capabilities {}, {} system calls, files of {} places",
            user_ ? fmt::format("user {}, ", user_->name) : "", capabilities_in_words(),
            number_or_all(system_calls_), number_or_all(limits_files() ? files_.size() : 0));
  if (!limits_files()) {
    log::warning(
        "sandbox: this kernel has no Landlock; which files lb may open is up to their permissions "
        "alone");
  }
  if (system_calls_ == 0) {
    log::warning("sandbox: this kernel has no seccomp filters; lb may make every system call");
  }
}

void Sandbox::tell_refused() const {
  if (!entered_) return;
  for (const std::string& call : refused_system_calls()) {
    log::warning("sandbox: a system call was refused: {}", call);
  }
}

}  // namespace lb
