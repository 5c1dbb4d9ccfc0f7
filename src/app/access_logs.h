// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/line_file.h"
#include "config/config.h"
#include "pool/access_log.h"

namespace lb {

// The files that access logs go to, one for each output, whichever listeners write there. Control
// thread.
class AccessLogs {
 public:
  using Files = std::map<std::string, std::shared_ptr<LineFile>>;

  explicit AccessLogs(size_t workers) : workers_(workers) {}

  // The files that this configuration needs: those in use and new ones. Changes nothing.
  Result<Files> open(const Config& config) const;
  // From now on these are in use. One that is not any more is closed once no listener of an older
  // snapshot can write there.
  void use(Files files);
  // Null for a listener without one.
  std::shared_ptr<const AccessLog> log_of(const ListenerConfig& listener) const;

  // For log rotation. Returns what failed.
  std::vector<std::string> reopen();
  // Says what was lost, closes what is not needed. Once a second or so.
  void keep_house();
  // Writes what is left, for a second at most. After the workers have ended.
  void close();

 private:
  static constexpr int64_t kToldPause_ms = 10'000;

  void tell_lost();

  const size_t workers_;
  Files files_;
  std::vector<std::shared_ptr<LineFile>> leaving_;
  std::map<std::string, uint64_t> told_;  // lost lines that the log knows of, by output
  int64_t told_ms_ = 0;
};

}  // namespace lb
