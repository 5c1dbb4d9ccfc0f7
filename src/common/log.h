// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include "common/result.h"

namespace lb::log {

// Diagnostics. Any thread; a call formats and queues, a background thread writes. When the queue
// (8,192 messages) is full the oldest message is overwritten and counted, so no caller ever waits.

enum class Level { trace, debug, info, warning, error };
enum class Format { text, json };

struct Settings {
  Level level = Level::info;
  Format format = Format::text;
  std::string output = "stderr";  // stderr | stdout | syslog | a path

  friend bool operator==(const Settings&, const Settings&) = default;
};

// Starts or replaces the output. On failure (a file that cannot be opened) what was there stays.
// Control thread.
Status<> configure(const Settings& settings);
// Opens a file output anew, for log rotation. Control thread.
Status<> reopen();
// Writes what is queued and ends the background thread. Before exit.
void shutdown();
// Messages lost to a full queue since the start.
uint64_t lost();

bool enabled(Level level);
void write(Level level, std::string_view message);

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::debug)) {
    write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
  }
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::info)) write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::warning)) {
    write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
  }
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace lb::log
