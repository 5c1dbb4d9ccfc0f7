// SPDX-License-Identifier: MIT
// Exchange: what a client is told by us rather than by a server.
#include "common/log.h"
#include "l7/exchange.h"
#include "l7/http_tools.h"
#include "l7/own_response.h"
#include "l7/route_actions.h"
#include "l7/router.h"

namespace lb {

namespace {

constexpr int64_t kSecond_ns = 1'000'000'000;

// RFC 9110, 15.3.5, 15.3.6 and 15.4.5: these end with their heads.
bool has_content(int status) {
  return status != 204 && status != 205 && status != 304;
}

}  // namespace

// 429 where there were too many of this key.
bool Exchange::refused_by_rate(SourceRates* rates, uint64_t key) {
  int64_t wait_ns = rates->wait_ns(key, began_us_);
  if (wait_ns == 0) return false;
  BodyPart part;
  ResponseHead& head = frontend_.tools().response;
  make_own_response(429, head, part);
  std::string seconds = fmt::format("{}", (wait_ns - 1) / kSecond_ns + 1);
  head.fields.push_back({"Retry-After", seconds, FieldId::other});
  respond(head, part, ExchangeEnd::over_rate);
  return true;
}

bool Exchange::refused_by_route(const VerifiedToken* token) {
  const RouteLimit& limit = routes_->limits.by_route[route_index_];
  if (!limit.rates) return false;
  uint64_t key = limit_key(*route_->limit, limit.claim, request_.head, token, source_);
  return refused_by_rate(limit.rates.get(), key);
}

bool Exchange::answer_by_route(const HttpRoute& route) {
  if (route.redirect) {
    redirect(*route.redirect);
    return true;
  }
  if (!route.respond) return false;
  ResponseHead& head = frontend_.tools().response;
  head.clear();
  head.status = static_cast<int>(route.respond->status);
  for (const auto& [name, value] : route.respond->headers) {
    head.fields.push_back({name, value, field_id(name)});
  }
  std::string_view body;
  if (has_content(head.status)) body = route.respond->body;
  // A 304 would tell the length of what it does not send.
  if (head.status != 304) head.length = body.size();
  head.body = body.empty() ? BodyKind::none : BodyKind::length;
  respond(head, {body, true, nullptr}, ExchangeEnd::by_route);
  return true;
}

void Exchange::redirect(const HttpRedirect& rule) {
  std::string location = expand(rule.to, request_.head, origin_.is_tls);
  ResponseHead& head = frontend_.tools().response;
  head.clear();
  head.status = rule.status;
  head.fields.push_back({"Location", location, FieldId::other});
  head.length = 0;
  respond(head, {{}, true, nullptr}, ExchangeEnd::by_route);
}

void Exchange::refuse(int status, ExchangeEnd why) {
  if (state_ == State::over) return;
  if (has_response()) return cut(why);
  close_server();
  respond(status, why);
}

void Exchange::respond(int status, ExchangeEnd why) {
  BodyPart part;
  ResponseHead& head = frontend_.tools().response;
  make_own_response(status, head, part);
  respond(head, part, why);
}

void Exchange::respond(ResponseHead& head, const BodyPart& part, ExchangeEnd why) {
  status_ = head.status;
  if (head.find(FieldId::date) == nullptr) {
    head.fields.push_back({"Date", frontend_.tools().date.now(), FieldId::date});
  }
  if (route_ != nullptr) apply_header_rules(route_->response_headers, head.fields);
  bool has_body = request_.head.method != Method::head;
  if (has_body) response_bytes_ = part.bytes.size();
  frontend_.cell().bytes_out.add(response_bytes_);
  client_.send_response(head, has_body ? part : BodyPart{{}, true, nullptr});
  finish(why);
}

}  // namespace lb
