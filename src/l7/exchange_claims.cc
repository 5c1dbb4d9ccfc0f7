// SPDX-License-Identifier: MIT
// What an exchange learns of its user, and of its server's load.
#include "common/clock.h"
#include "l7/cookies.h"
#include "l7/exchange.h"
#include "l7/route_actions.h"
#include "l7/router.h"
#include "l7/stickiness.h"
#include "pool/overload.h"

namespace lb {

namespace {

// Of one name in one request that are looked at.
constexpr size_t kMostCookies = 3;

}  // namespace

void Exchange::find_sticky_key(TokenCheck& tokens) {
  const StickyConfig& sticky = *pool().config().sticky;
  if (sticky.gives_cookies()) return take_cookie();
  if (!route_->is_sticky) return;
  if (sticky.by != StickyBy::jwt) {
    sticky_key_ = sticky_key(sticky, request_.head, source_);
    return;
  }
  const auto& clients = routes_->clients[route_index_].pools[pool_index_];
  const KnownToken* token = tokens.check(clients.token);
  if (token == nullptr) return;
  sticky_key_ = sticky_key(*token, clients.claim, now_ms());
  if (!sticky_key_) return;
  sticky_key_->hint = token->place;
  sticky_token_ = token->digest;
  note_place();
}

// For who brings the token next.
void Exchange::note_place() {
  if (!sticky_token_) return;
  StickyHint place = pool().hint(*sticky_key_, now_ms());
  if (place == sticky_key_->hint) return;
  sticky_key_->hint = place;
  routes_->memory->note_place(*sticky_token_, place);
}

// It is for us alone.
void Exchange::take_cookie() {
  const auto& cookies = routes_->clients[route_index_].pools[pool_index_].cookies;
  const std::string& name = pool().config().sticky->cookie;
  size_t tries = route_->is_sticky ? kMostCookies : 0;
  for_each_cookie(request_.head, name, [&](std::string_view value) {
    if (tries-- == 0) return false;
    auto content = cookies->read(value, unix_ms());
    if (!content) return true;
    sticky_key_ = StickyKey{.server = content->server};
    cookie_is_old_ = content->is_old;
    return false;
  });
  remove_cookies(request_, name);
}

void Exchange::note_cookies(ResponseHead& head) {
  const StickyConfig& sticky = *pool().config().sticky;
  if (sticky.by != StickyBy::cookie || !route_->is_sticky) return;
  sticky.learns ? learn_cookies(head) : give_cookie(head);
}

void Exchange::learn_cookies(const ResponseHead& head) {
  const std::string& name = pool().config().sticky->cookie;
  for (const Field& field : head.fields) {
    if (field.id != FieldId::set_cookie) continue;
    SetCookie cookie = parse_set_cookie(field.value, unix_ms() / 1'000);
    if (cookie.name != name) continue;
    if (cookie.ends) {
      if (sticky_key_) pool().unstick(*sticky_key_);
    } else if (!cookie.value.empty()) {
      pool().stick(WorkKey(session_key(cookie.value)), server_->server(), now_ms());
    }
  }
}

// Who was away from its server for once keeps the cookie that leads back.
void Exchange::give_cookie(ResponseHead& head) {
  const auto& cookies = routes_->clients[route_index_].pools[pool_index_].cookies;
  const std::string& name = pool().config().sticky->cookie;
  std::erase_if(head.fields, [&](const Field& field) {
    return field.id == FieldId::set_cookie && parse_set_cookie(field.value, 0).name == name;
  });
  const Server& server = server_->server();
  bool is_home = sticky_key_ && sticky_key_->server == server.number();
  if (is_home && !cookie_is_old_) return;
  if (sticky_key_ && pool().is_away(*sticky_key_, server, now_ms())) return;
  std::string field = cookies->write(server.number(), unix_ms(), origin_.is_tls);
  if (field.empty()) return;
  head.fields.push_back({"Set-Cookie", request_.keep(field), FieldId::set_cookie});
}

// What the client itself says under these names is nobody's word.
void Exchange::pass_claims_on(const VerifiedToken* token) {
  if (route_->claims.empty()) return;
  RequestHead& request = request_.head;
  const auto& verifier = routes_->clients[route_index_].rule.verifier;
  for (const auto& [name, claim] : route_->claims) {
    remove_alike(request.fields, name);
    auto index = token != nullptr ? verifier->index_of(claim) : std::nullopt;
    std::string_view value = index ? token->claim(*index) : std::string_view();
    if (value.empty() || !can_be_passed_on(value)) continue;
    request.fields.push_back({name, request_.keep(value), field_id(name)});
  }
}

// It is for us alone.
void Exchange::take_load_report(ResponseHead& head) {
  const Field* field = head.find(FieldId::endpoint_load);
  if (field == nullptr) return;
  auto report = parse_load_header(field->value);
  if (report) {
    note_response_load(server_->server(), *report, pool().config(), frontend_.worker());
  }
  std::erase_if(head.fields, [](const Field& it) { return it.id == FieldId::endpoint_load; });
}

}  // namespace lb
