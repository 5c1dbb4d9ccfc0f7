// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "app/landlock.h"
#include "common/result.h"
#include "common/user.h"
#include "config/config.h"

namespace lb {

// What the process gives up once its addresses are open, so that an error in it is worth little to
// whoever finds it: the user it was started as (runtime.user), all capabilities but the one for low
// ports, new privileges, being looked into, files that the configuration does not name (Landlock),
// and system calls that it does not make (seccomp). docs/sandbox.md. Control thread.
class Sandbox {
 public:
  // For this configuration, which is read from `config_file` (empty: from nowhere) again.
  static Result<Sandbox> plan(const Config& config, const std::filesystem::path& config_file);

  // Who the process will be; absent: who it is.
  const std::optional<User>& user() const { return user_; }
  // runtime.sandbox, in a build that has it.
  bool is_on() const { return is_on_; }
  const std::vector<FileRule>& files() const { return files_; }
  // Files that say what runs outside and may be changed from inside all the same: the configuration
  // file, and those that its commands name. None, where lb writes to directories of their own.
  const std::vector<std::string>& exposed() const { return exposed_; }
  // Whether a process outside may believe what the configuration file says after the start, run its
  // commands and open its files. Not where it is exposed.
  bool trusts_config_file() const { return trusts_config_file_; }
  // Whether the kernel limits files: known once it was entered.
  bool limits_files() const { return landlock_ > 0; }
  // How many the kernel lets through; 0: all.
  size_t system_calls() const { return system_calls_; }
  // What of it does not hold here, and why.
  const std::vector<std::string>& lacking() const { return lacking_; }
  // One more of it: a phrase.
  void lacks(std::string what) { lacking_.push_back(std::move(what)); }

  // Begins, for good. The process has one thread: those that it starts take after it. What this
  // machine does not have, or forbids, is left out; only the user it is to be is a must.
  Status<> enter();
  // Whether what a configuration names to be read is open to whom the process is by now; it may
  // have been read as somebody else. The error names the first that is not.
  Status<> may_read(const Config& config) const;
  // Whether a configuration that is taken up later finds its files inside.
  Status<> admits(const Config& config) const;
  // For the reason why a file could not be read: where it may be the sandbox, says so.
  std::string with_reason(std::string message) const;
  // Tells the log what holds.
  void tell() const;
  // Tells the log which system calls were refused since the last time.
  void tell_refused() const;

 private:
  Sandbox() = default;
  void find_exposed(const std::filesystem::path& config_file);
  void limit_files();
  void limit_system_calls();

  std::optional<User> user_;
  bool is_on_ = false;
  bool entered_ = false;
  bool trusts_config_file_ = false;
  int landlock_ = 0;  // its version
  size_t system_calls_ = 0;
  std::vector<FileRule> files_;
  std::vector<std::string> exposed_;
  std::set<std::vector<std::string>> commands_;  // of the start
  std::vector<std::string> lacking_;
};

}  // namespace lb
