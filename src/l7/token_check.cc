// SPDX-License-Identifier: MIT
#include "l7/token_check.h"

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "l7/cookies.h"

namespace lb {

namespace {

constexpr std::string_view kScheme = "bearer";

// The fields of one name; several of them are nobody's.
template <typename IsIt>
std::optional<std::string_view> only_field(const RequestHead& head, IsIt is_it) {
  std::optional<std::string_view> value;
  for (const Field& field : head.fields) {
    if (!is_it(field)) continue;
    if (value) return {};
    value = field.value;
  }
  return value;
}

// "Bearer TOKEN" (RFC 6750, 2.1), the scheme in any case.
std::optional<std::string_view> bearer_token(std::string_view value) {
  if (value.size() <= kScheme.size() || value[kScheme.size()] != ' ' ||
      !equal_nocase(value.substr(0, kScheme.size()), kScheme)) {
    return {};
  }
  size_t begin = value.find_first_not_of(' ', kScheme.size());
  if (begin == std::string_view::npos) return {};
  return value.substr(begin);
}

}  // namespace

std::optional<std::string_view> find_token(const RequestHead& head, const TokenSource& from) {
  std::optional<std::string_view> found;
  switch (from.kind) {
    case TokenSource::Kind::authorization:
      found =
          only_field(head, [](const Field& field) { return field.id == FieldId::authorization; });
      if (found) found = bearer_token(*found);
      break;
    case TokenSource::Kind::header:
      found =
          only_field(head, [&](const Field& field) { return equal_nocase(field.name, from.name); });
      break;
    case TokenSource::Kind::cookie:
      found = only_cookie(head, from.name);
      break;
  }
  if (found && found->empty()) return {};
  return found;
}

void TokenCheck::expect(const TokenRule& rule) {
  if (!rule.verifier || memory_ == nullptr || rule.from.empty()) return;
  find(*rule.verifier, rule.from.front());
}

const KnownToken* TokenCheck::check(const TokenRule& rule) {
  if (!rule.verifier || memory_ == nullptr) return nullptr;
  for (const TokenSource& from : rule.from) {
    if (const auto& token = check(*rule.verifier, from)) return &*token;
  }
  return nullptr;
}

const std::optional<KnownToken>& TokenCheck::check(const JwtVerifier& verifier,
                                                   const TokenSource& from) {
  Checked& checked = find(verifier, from);
  if (checked.sought) {
    checked.token = memory_->check(*checked.sought, unix_ms() / 1'000);
    checked.sought.reset();
  }
  return checked.token;
}

TokenCheck::Checked& TokenCheck::find(const JwtVerifier& verifier, const TokenSource& from) {
  if (first_ && first_->is_of(verifier, from)) return *first_;
  for (Checked& each : more_) {
    if (each.is_of(verifier, from)) return each;
  }
  Checked& added = first_ ? more_.emplace_front(verifier, from) : first_.emplace(verifier, from);
  if (auto text = find_token(head_, from)) added.sought.emplace(memory_->seek(verifier, *text));
  return added;
}

}  // namespace lb
