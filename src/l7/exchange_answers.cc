// SPDX-License-Identifier: MIT
// Exchange: what a route answers without a server.
#include "l7/exchange.h"
#include "l7/http_tools.h"
#include "l7/own_response.h"
#include "l7/route_actions.h"
#include "l7/router.h"

namespace lb {

namespace {

// RFC 9110, 15.3.5, 15.3.6 and 15.4.5: these end with their heads.
bool has_content(int status) {
  return status != 204 && status != 205 && status != 304;
}

}  // namespace

bool Exchange::answer_by_route(const HttpRoute& route) {
  if (route.redirect) {
    redirect(*route.redirect, route.response_headers);
    return true;
  }
  if (!route.respond) return false;
  ResponseHead& head = frontend_.tools().response;
  head.clear();
  head.status = static_cast<int>(route.respond->status);
  for (const auto& [name, value] : route.respond->headers) {
    head.fields.push_back({name, value, field_id(name)});
  }
  apply_header_rules(route.response_headers, head.fields);
  std::string_view body;
  if (has_content(head.status)) body = route.respond->body;
  // A 304 would tell the length of what it does not send.
  if (head.status != 304) head.length = body.size();
  head.body = body.empty() ? BodyKind::none : BodyKind::length;
  respond(head, {body, true, nullptr}, ExchangeEnd::by_route);
  return true;
}

void Exchange::redirect(const HttpRedirect& rule, const HeaderRules& response_headers) {
  std::string location = expand(rule.to, request_.head, origin_.is_tls);
  ResponseHead& head = frontend_.tools().response;
  head.clear();
  head.status = rule.status;
  head.fields.push_back({"Location", location, FieldId::other});
  apply_header_rules(response_headers, head.fields);
  head.length = 0;
  respond(head, {{}, true, nullptr}, ExchangeEnd::by_route);
}

}  // namespace lb
