// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/control_api.h"
#include "admin/http_message.h"
#include "common/json.h"

namespace lb::admin {

// The shapes of the API's answers: {"success": true, "data": ...} and {"success": false, "error":
// "..."}, the latter with the path of the field that is wrong, if it is one.
HttpResponse success(const Json& data, int status = 200);
HttpResponse failure(int status, std::string_view message, std::string_view path = {});

// The same for a change that was refused; what is wrong with a configuration stands in "errors".
HttpResponse refusal(const Refusal& why);

Json to_json(const PoolView& pool);
Json to_json(const ServerView& server);
// With what it has done: bytes, failures, times.
Json to_json_with_figures(const ServerView& server);
// How often there was an answer of each class: {"2xx": 3}.
Json by_status(const ListenerView& listener);
// "healthy", "degraded" when some pools that listeners use have no usable server, "unhealthy" when
// all of them have none.
std::string_view verdict(const std::vector<PoolView>& pools);
// To the microsecond: more digits would be noise.
Json number_or_null(const std::optional<double>& value);

// Unix time in milliseconds as "2026-03-01T12:00:00.250Z".
std::string rfc3339(int64_t unix_ms);

}  // namespace lb::admin
