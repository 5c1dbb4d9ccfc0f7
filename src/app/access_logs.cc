// SPDX-License-Identifier: MIT
#include "app/access_logs.h"

#include <utility>

#include "common/clock.h"
#include "common/log.h"

namespace lb {

Result<AccessLogs::Files> AccessLogs::open(const Config& config) const {
  Files files;
  for (const auto& [name, listener] : config.listeners) {
    if (!listener.access_log) continue;
    const std::string& output = listener.access_log->output;
    if (files.contains(output)) continue;
    if (auto found = files_.find(output); found != files_.end()) {
      files[output] = found->second;
      continue;
    }
    auto file = LineFile::open(output, workers_);
    if (!file) return fail("listeners." + name + ".access_log.output: " + file.error().message);
    files[output] = std::move(*file);
  }
  return files;
}

void AccessLogs::use(Files files) {
  for (auto& [output, file] : files_) {
    if (!files.contains(output)) leaving_.push_back(std::move(file));
  }
  files_ = std::move(files);
}

std::shared_ptr<const AccessLog> AccessLogs::log_of(const ListenerConfig& listener) const {
  if (!listener.access_log) return nullptr;
  return std::make_shared<const AccessLog>(listener.name, listener.access_log->format,
                                           files_.at(listener.access_log->output));
}

std::vector<std::string> AccessLogs::reopen() {
  std::vector<std::string> problems;
  for (auto& [output, file] : files_) {
    if (auto reopened = file->reopen(); !reopened) problems.push_back(reopened.error().message);
  }
  return problems;
}

void AccessLogs::keep_house() {
  int64_t now_ms = monotonic_ms();
  if (now_ms >= told_ms_ + kToldPause_ms) {
    told_ms_ = now_ms;
    tell_lost();
  }
  std::erase_if(leaving_, [](const auto& file) { return file.use_count() == 1; });
}

void AccessLogs::tell_lost() {
  for (const auto& [output, file] : files_) {
    uint64_t lost = file->lost();
    uint64_t& told = told_[output];
    // Fewer: it was closed and opened again in between.
    uint64_t news = lost >= told ? lost - told : lost;
    if (news > 0) {
      log::warning("access log {}: {} lines were lost: the output is too slow or full", output,
                   news);
    }
    told = lost;
  }
}

void AccessLogs::close() {
  for (auto& [output, file] : files_) file->close();
  tell_lost();
}

}  // namespace lb
