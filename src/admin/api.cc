// SPDX-License-Identifier: MIT
#include "admin/api.h"

#include <algorithm>

#include "admin/answers.h"
#include "common/log.h"
#include "config/suggest.h"

namespace lb::admin {

namespace {

constexpr std::string_view kHealthPath = "/api/health";

// Takes the part before the next '/' off a path that begins with one.
std::string_view take_part(std::string_view& path) {
  path.remove_prefix(1);
  std::string_view part = path.substr(0, path.find('/'));
  path.remove_prefix(part.size());
  return part;
}

// Whether `path` is one of `pattern`; `id` becomes what stands for {id}.
bool fits(std::string_view pattern, std::string_view path, std::string& id) {
  while (!pattern.empty() && !path.empty()) {
    std::string_view wanted = take_part(pattern);
    std::string_view part = take_part(path);
    if (wanted == "{id}" && !part.empty()) {
      id = part;
    } else if (wanted != part) {
      return false;
    }
  }
  return pattern.empty() && path.empty();
}

void append(std::vector<Route>& routes, std::vector<Route> more) {
  for (Route& route : more) routes.push_back(std::move(route));
}

bool is_read(std::string_view method) {
  return method == "GET" || method == "HEAD";
}

std::optional<HttpResponse> check_query(const HttpRequest& request, const Route& route) {
  for (const auto& [name, value] : request.query) {
    if (std::find(route.query.begin(), route.query.end(), name) != route.query.end()) continue;
    if (route.query.empty()) return failure(400, "there are no parameters here", name);
    return failure(400, fmt::format("unknown parameter; there is {}", fmt::join(route.query, ", ")),
                   name.substr(0, 60));
  }
  return {};
}

}  // namespace

Api::Api(EventLoop& loop, ControlApi& control, const AdminConfig& config)
    : control_(control), events_(loop), access_(config) {
  append(routes_, health_routes());
  append(routes_, server_routes());
  append(routes_, pool_routes());
  append(routes_, config_routes());
  append(routes_, metrics_routes());
  append(routes_, event_routes());
  append(routes_, stats_routes());
}

Api::Match Api::find(const HttpRequest& request) const {
  Match match;
  std::string_view method = request.method == "HEAD" ? "GET" : std::string_view(request.method);
  for (const Route& route : routes_) {
    std::string id;
    if (!fits(route.path, request.path, id)) continue;
    match.methods.push_back(route.method);
    if (route.method == "GET") match.methods.push_back("HEAD");
    if (route.method != method) continue;
    match.route = &route;
    match.id = std::move(id);
  }
  return match;
}

std::optional<HttpResponse> Api::refuse(const HttpRequest& head) {
  if (auto refusal = access_.check_origin(head)) return refusal;
  if (head.path != kHealthPath) {
    if (auto refusal = access_.check_read(head)) {
      // The page asks its reader for the token; it holds nothing that is not known to everybody.
      if (!is_for_page(head)) return refusal;
      HttpResponse page = stats_page(refusal->status);
      page.fields.insert(page.fields.end(), refusal->fields.begin(), refusal->fields.end());
      return page;
    }
  }
  Match match = find(head);
  if (match.methods.empty()) return failure(404, "there is no such path");
  if (match.route == nullptr) {
    HttpResponse response = failure(405, "this path has no such method");
    response.fields.emplace_back("Allow", fmt::format("{}", fmt::join(match.methods, ", ")));
    return response;
  }
  if (!is_read(head.method)) {
    if (auto refusal = access_.check_change(head)) return refusal;
  } else if (head.content_length > 0) {
    return failure(400, "this call takes no body");
  }
  if (size_t most = match.route->most_body_bytes; head.content_length > most) {
    return failure(413, fmt::format("the body is longer than {} bytes", most));
  }
  return check_query(head, *match.route);
}

void Api::handle(const HttpRequest& request, const Answer& answer) {
  Match match = find(request);
  if (match.route == nullptr) return answer.send(error(404, "there is no such path"));
  match.route->function({control_, events_, access_, request, std::move(match.id), answer});
}

std::optional<Json> read_body(const Call& call) {
  auto body = parse_json(call.request.body);
  if (body) return std::move(*body);
  call.answer.send(failure(400, "the body is " + body.error().message));
  return {};
}

bool check(const Call& call, JsonFields& fields) {
  auto error = fields.finish();
  if (error) call.answer.send(failure(400, error->message, error->path));
  return !error;
}

bool check_no_fields(const Call& call) {
  if (call.request.body.empty()) return true;
  auto body = read_body(call);
  if (!body) return false;
  JsonFields fields(*body);
  return check(call, fields);
}

HttpResponse Api::error(int status, std::string_view message) {
  return failure(status, message);
}

}  // namespace lb::admin
