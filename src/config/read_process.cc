// SPDX-License-Identifier: MIT
// The sections runtime and log.
#include <utility>

#include "common/log.h"
#include "common/user.h"
#include "config/sections.h"

namespace lb::config {

namespace {

constexpr uint32_t kMostWorkers = 256;

Scalar<uint32_t> worker_count() {
  auto parse = [number = whole_number(1, kMostWorkers)](std::string_view text) -> Result<uint32_t> {
    if (text == "auto") return 0U;
    auto count = number.parse(text);
    if (!count) return fail(count.error().message + ", or auto");
    return count;
  };
  return {fmt::format("auto or a whole number from 1 to {}", kMostWorkers), parse};
}

Scalar<std::string> log_output() {
  auto parse = [path = absolute_path()](std::string_view text) -> Result<std::string> {
    if (text == "stderr" || text == "stdout" || text == "syslog") return std::string(text);
    if (text.starts_with('/')) return path.parse(text);
    return fail(not_one_of(text, {"stderr", "stdout", "syslog", "/path/of/a/file"}));
  };
  return {"stderr, stdout, syslog or an absolute path", parse};
}

Scalar<std::string> user_name() {
  auto parse = [](std::string_view text) -> Result<std::string> {
    auto user = find_user(std::string(text));
    if (!user) return fail(user.error().message);
    return std::move(user->name);
  };
  return {"the name of a user", parse};
}

}  // namespace

void read_runtime(const Value& value, Config& config) {
  Section section(value);
  RuntimeConfig& runtime = config.runtime;
  section.read("workers", runtime.workers, worker_count());
  section.read("max_connections", runtime.max_connections, whole_number(1, kMostConnections));
  section.read("drain_timeout", runtime.drain_timeout, duration(milliseconds(0), kLongest));
  section.read("sandbox", config.sandbox.enabled, boolean());
  if (auto user = section.find("user"); user && !user->is_off()) {
    if (auto name = user->as(user_name())) config.sandbox.user = std::move(*name);
  }
}

void read_log(const Value& value, log::Settings& log) {
  Section section(value);
  section.read("level", log.level,
               one_of<log::Level>({{"trace", log::Level::trace},
                                   {"debug", log::Level::debug},
                                   {"info", log::Level::info},
                                   {"warning", log::Level::warning},
                                   {"error", log::Level::error}}));
  section.read("format", log.format,
               one_of<log::Format>({{"text", log::Format::text}, {"json", log::Format::json}}));
  section.read("output", log.output, log_output());
}

}  // namespace lb::config
