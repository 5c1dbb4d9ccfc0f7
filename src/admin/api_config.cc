// SPDX-License-Identifier: MIT
// /api/config and /api/reload: the configuration as a whole.
#include <algorithm>

#include "admin/answers.h"
#include "admin/api.h"
#include "common/log.h"

namespace lb::admin {

namespace {

constexpr size_t kMostConfigBytes = 1'048'576;

std::string quoted(const std::string& etag) {
  return fmt::format("\"{}\"", etag);
}

HttpResponse to_response(const ConfigView& view) {
  HttpResponse response = success(view.config);
  response.fields.emplace_back("ETag", quoted(view.etag));
  return response;
}

// Whether one of the tags of an If-Match field is this one; weak tags never are.
bool matches(std::string_view field, const std::string& etag) {
  std::string wanted = quoted(etag);
  while (!field.empty()) {
    std::string_view tag = field.substr(0, field.find(','));
    field.remove_prefix(std::min(field.size(), tag.size() + 1));
    while (tag.starts_with(' ') || tag.starts_with('\t')) tag.remove_prefix(1);
    while (tag.ends_with(' ') || tag.ends_with('\t')) tag.remove_suffix(1);
    if (tag == "*" || tag == wanted) return true;
  }
  return false;
}

void get_config(const Call& call) {
  call.answer.send(to_response(call.control.config()));
}

void put_config(const Call& call) {
  NewConfig config{call.request.body, [](const std::string&) { return true; }};
  if (const std::string* field = call.request.field("If-Match")) {
    config.may_replace = [tags = *field](const std::string& etag) { return matches(tags, etag); };
  }
  call.control.replace_config(config, [answer = call.answer](const auto& replaced) {
    answer.send(replaced ? to_response(*replaced) : refusal(replaced.error()));
  });
}

void post_reload(const Call& call) {
  if (!check_no_fields(call)) return;
  call.control.reload([answer = call.answer](const auto& outcome) {
    answer.send(outcome ? success({{"reloaded", true}}) : refusal(outcome.error()));
  });
}

}  // namespace

std::vector<Route> config_routes() {
  return {{"GET", "/api/config", get_config},
          {"PUT", "/api/config", put_config, {}, kMostConfigBytes},
          {"POST", "/api/reload", post_reload}};
}

}  // namespace lb::admin
