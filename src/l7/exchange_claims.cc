// SPDX-License-Identifier: MIT
// What an exchange learns of its user, and of its server's load.
#include "l7/exchange.h"
#include "l7/route_actions.h"
#include "l7/router.h"
#include "l7/stickiness.h"
#include "pool/overload.h"

namespace lb {

void Exchange::find_sticky_key(TokenCheck& tokens) {
  const StickyConfig& sticky = *pool().config().sticky;
  if (sticky.by != StickyBy::jwt) {
    sticky_key_ = sticky_key(sticky, request_.head, source_);
    return;
  }
  const RouteTokens& rules = routes_->tokens[route_index_];
  const VerifiedToken* token = tokens.check(rules.sticky[pool_index_]);
  if (token != nullptr) sticky_key_ = sticky_key(*token, rules.claims[pool_index_], now_ms());
}

// What the client itself says under these names is nobody's word.
void Exchange::pass_claims_on(const VerifiedToken* token) {
  if (route_->claims.empty()) return;
  RequestHead& request = request_.head;
  const auto& verifier = routes_->tokens[route_index_].rule.verifier;
  for (const auto& [name, claim] : route_->claims) {
    remove_alike(request.fields, name);
    auto index = token != nullptr ? verifier->index_of(claim) : std::nullopt;
    if (!index || !token->claims[*index] || !can_be_passed_on(*token->claims[*index])) continue;
    request.fields.push_back({name, request_.keep(*token->claims[*index]), field_id(name)});
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
