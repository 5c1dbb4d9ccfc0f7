// SPDX-License-Identifier: MIT
#include "admin/answers.h"

#include <cmath>
#include <ctime>

#include "common/log.h"

namespace lb::admin {

HttpResponse success(const Json& data, int status) {
  Json body = {{"success", true}, {"data", data}};
  return {.status = status, .body = to_text(body) + "\n"};
}

HttpResponse failure(int status, std::string_view message, std::string_view path) {
  std::string error(message);
  if (!path.empty()) error = fmt::format("{}: {}", path, message);
  Json body = {{"success", false}, {"error", error}};
  if (!path.empty()) body["path"] = path;
  return {.status = status, .body = to_text(body) + "\n"};
}

HttpResponse refusal(const Refusal& why) {
  HttpResponse response = failure(why.status, why.message, why.path);
  if (why.problems.empty()) return response;
  Json body = Json::parse(response.body);
  if (!why.file.empty()) body["file"] = why.file;
  body["errors"] = Json::array();
  for (const ConfigProblem& problem : why.problems) {
    body["errors"].push_back({{"line", problem.line},
                              {"column", problem.column},
                              {"path", problem.path},
                              {"message", problem.message}});
  }
  response.body = to_text(body) + "\n";
  return response;
}

Json number_or_null(const std::optional<double>& value) {
  return value ? Json(std::round(*value * 1000) / 1000) : Json(nullptr);
}

std::string rfc3339(int64_t unix_ms) {
  time_t seconds = unix_ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     unix_ms % 1000);
}

}  // namespace lb::admin
