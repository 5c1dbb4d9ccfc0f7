// SPDX-License-Identifier: MIT
// The section listeners.NAME.access_log.
#include "config/sections.h"

namespace lb::config {

namespace {

Scalar<std::string> access_log_output() {
  auto parse = [path = absolute_path()](std::string_view text) -> Result<std::string> {
    if (text == "stdout") return std::string(text);
    if (text.starts_with('/')) return path.parse(text);
    return fail(not_one_of(text, {"stdout", "/path/of/a/file"}));
  };
  return {"stdout or an absolute path", parse};
}

}  // namespace

void read_access_log(const Value& value, std::optional<AccessLogConfig>& access_log) {
  if (value.is_off()) return;
  access_log.emplace();
  Section section(value);
  section.read("output", access_log->output, access_log_output());
  section.read("format", access_log->format,
               one_of<AccessLogConfig::Format>({{"json", AccessLogConfig::Format::json},
                                                {"combined", AccessLogConfig::Format::combined}}));
}

}  // namespace lb::config
