// SPDX-License-Identifier: MIT
#include "app/sandbox.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "app/capabilities.h"
#include "app/file_rules.h"
#include "app/script_rights.h"
#include "app/system_calls.h"
#include "common/fd.h"
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
  if (!sandbox.is_on_) return sandbox;
  sandbox.files_ = file_rules(config, config_file);
  sandbox.commands_ = commands_of(config);
  sandbox.find_exposed(config_file);
  return sandbox;
}

void Sandbox::find_exposed(const std::filesystem::path& config_file) {
  trusts_config_file_ = !config_file.empty() && !may_replace(files_, config_file);
  if (!config_file.empty() && !trusts_config_file_) exposed_.push_back(config_file);
  std::set<std::string> words;
  for (const auto& command : commands_) words.insert(command.begin(), command.end());
  for (const std::string& word : words) {
    if (word.starts_with('/') && may_replace(files_, word)) exposed_.push_back(word);
  }
}

Status<> Sandbox::enter() {
  if (user_ || is_on_) {
    auto dropped = keep_low_ports_alone(user_ ? &*user_ : nullptr);
    // Who asked for a user does not get root instead.
    if (!dropped && user_) return fail("runtime.user: " + dropped.error().message);
    if (!dropped) lacking_.push_back(dropped.error().message);
  }
  if (!is_on_) return Done{};
  entered_ = true;
  if (auto refused = refuse_new_privileges(); !refused) {
    lacking_.push_back(refused.error().message);
  }
  limit_files();
  limit_system_calls();
  return Done{};
}

void Sandbox::limit_files() {
  std::string why = "this kernel has no Landlock";
  if (int version = landlock_version(); version > 0) {
    auto restricted = restrict_files(files_);
    if (restricted) landlock_ = version;
    if (restricted) return;
    why = "no Landlock: " + restricted.error().message;
  }
  lacking_.push_back(why + " (files are up to their permissions alone)");
}

void Sandbox::limit_system_calls() {
  std::string why = "this kernel has no seccomp filters";
  if (has_system_call_filters()) {
    auto allowed = restrict_system_calls();
    if (allowed) system_calls_ = *allowed;
    if (allowed) return;
    why = "no seccomp: " + allowed.error().message;
  }
  lacking_.push_back(why + " (every system call can be made)");
}

Status<> Sandbox::may_read(const Config& config) const {
  for (const NamedFile& file : config.sandbox.files) {
    if (file.use != FileUse::read) continue;
    Fd opened(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (opened) continue;
    return fail(fmt::format("{}: cannot read {}{}: {}", file.key, file.path,
                            user_ ? " as " + user_->name : "", strerror(errno)));
  }
  return Done{};
}

Status<> Sandbox::admits(const Config& config) const {
  auto commands = commands_of(config);
  bool are_known =
      std::includes(commands_.begin(), commands_.end(), commands.begin(), commands.end());
  if (is_on_ && !trusts_config_file_ && !are_known) {
    return fail(
        "a command of a script check is new, and is not believed while lb may write to the "
        "directory of its configuration file: restart to use it, and give what lb writes (log, "
        "state file) a directory of its own");
  }
  if (!limits_files()) return Done{};
  std::string outside = first_outside(config, files_, trusts_config_file_);
  if (outside.empty()) return Done{};
  return fail(outside +
              " is in no directory that this process may use: the sandbox was made at start; "
              "restart to use it");
}

std::string Sandbox::with_reason(std::string message) const {
  if (!entered_ || !message.ends_with(strerror(EACCES))) return message;
  message += " (in the sandbox a file must be open to the user of lb, even if that is root";
  if (!trusts_config_file_) {
    message += ", and be in a directory that was named at start, restart to name another";
  }
  return message + ": docs/sandbox.md)";
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
  if (!user_ && geteuid() == 0) {
    log::info(
        "sandbox: still root by name, to whom unix sockets of other programs are open: see "
        "runtime.user");
  }
  if (!lacking_.empty()) {
    log::warning("sandbox: not whole on this machine: {}", fmt::join(lacking_, "; "));
  }
  if (limits_files() && !exposed_.empty()) {
    log::warning(
        "sandbox: lb may write to the directory of {}, which says what runs outside: give what lb "
        "writes (log, state file) a directory of its own",
        fmt::join(exposed_, " and of "));
  }
}

void Sandbox::tell_refused() const {
  if (!entered_) return;
  for (const std::string& call : refused_system_calls()) {
    log::warning("sandbox: a system call was refused: {}", call);
  }
}

}  // namespace lb
