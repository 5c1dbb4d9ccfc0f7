// SPDX-License-Identifier: MIT
#include "l7/jwt_verifier.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/random.h"

namespace lb {

namespace {

// As far as times are told apart: beyond the year 280,000 lies "for ever".
constexpr double kLatest_s = 1e13;

Unexpected<JwtRefusal> refuse(JwtRefusal why) {
  return {why};
}

std::array<uint64_t, 2> random_key() {
  std::array<uint64_t, 2> key{};
  fill_random(key.data(), sizeof(key));
  return key;
}

// Seconds since 1970, of which there may be fractions (RFC 7519, 2). False where it is something
// else.
bool take_time(const Json& claims, const char* name, std::optional<double>& out) {
  auto found = claims.find(name);
  if (found == claims.end()) return true;
  if (!found->is_number()) return false;
  auto seconds = found->get<double>();
  if (!std::isfinite(seconds)) return false;
  out = std::clamp(seconds, -kLatest_s, kLatest_s);
  return true;
}

bool is_for(const Json& claims, const std::string& audience) {
  auto found = claims.find("aud");
  if (found == claims.end()) return false;
  if (found->is_string()) return *found == audience;
  if (!found->is_array()) return false;
  bool good = false;
  for (const Json& each : *found) {
    if (!each.is_string()) return false;
    good = good || each == audience;
  }
  return good;
}

// "" where it is absent, or of another kind.
std::string text_of(const Json& claims, const std::string& name) {
  auto found = claims.find(name);
  if (found == claims.end()) return {};
  std::string text;
  if (found->is_string()) {
    text = found->get<std::string>();
  } else if (found->is_number_integer()) {
    text = found->dump();
  }
  if (text.size() > VerifiedToken::kMaxClaim) return {};
  return text;
}

}  // namespace

void VerifiedToken::add_claim(std::string_view claim) {
  std::string all(claims());
  all += static_cast<char>(claim.size() >> 8);
  all += static_cast<char>(claim.size() & 0xff);
  all += claim;
  if (all.size() <= near_.size()) {
    std::copy(all.begin(), all.end(), near_.begin());
    near_size_ = static_cast<uint16_t>(all.size());
  } else {
    far_ = std::make_shared<const std::string>(std::move(all));
  }
}

std::string_view VerifiedToken::claims() const {
  return far_ ? std::string_view(*far_) : std::string_view(near_.data(), near_size_);
}

std::string_view VerifiedToken::claim(size_t index) const {
  std::string_view left = claims();
  while (!left.empty()) {
    size_t size = size_t{static_cast<uint8_t>(left[0])} << 8 | static_cast<uint8_t>(left[1]);
    if (index-- == 0) return left.substr(2, size);
    left.remove_prefix(2 + size);
  }
  return {};
}

JwtVerifier::JwtVerifier(JwtConfig config, JwtKeys keys, std::vector<std::string> claims,
                         std::shared_ptr<JwtTally> tally)
    : config_(std::move(config)),
      keys_(std::move(keys)),
      claims_(std::move(claims)),
      digest_key_(random_key()),
      tally_(std::move(tally)) {}

std::optional<size_t> JwtVerifier::index_of(std::string_view claim) const {
  auto found = std::find(claims_.begin(), claims_.end(), claim);
  if (found == claims_.end()) return {};
  return static_cast<size_t>(found - claims_.begin());
}

Result<VerifiedToken, JwtRefusal> JwtVerifier::verify(std::string_view text, int64_t now_s) const {
  auto verified = check(text, now_s);
  verified ? tally_->add_valid() : tally_->add(verified.error());
  return verified;
}

Result<VerifiedToken, JwtRefusal> JwtVerifier::check(std::string_view text, int64_t now_s) const {
  auto token = parse_jwt(text);
  if (!token) return refuse(token.error());
  if (auto good = check_signature(*token); !good) return refuse(good.error());
  VerifiedToken verified;
  auto good = check_claims(token->claims, now_s, verified.valid_until_s);
  if (!good) return refuse(good.error());
  for (const std::string& name : claims_) verified.add_claim(text_of(token->claims, name));
  return verified;
}

Status<JwtRefusal> JwtVerifier::check_signature(const JwtToken& token) const {
  auto algorithm =
      std::find_if(config_.algorithms.begin(), config_.algorithms.end(),
                   [&](JwtAlgorithm each) { return to_string(each) == token.algorithm; });
  if (algorithm == config_.algorithms.end()) return refuse(JwtRefusal::algorithm);
  const JwtKey* key = keys_.find(*algorithm, token.kid);
  if (key == nullptr) return refuse(JwtRefusal::no_key);
  if (verify_signature(*algorithm, *key, token.signed_part, token.signature)) return Done{};
  return refuse(JwtRefusal::signature);
}

Status<JwtRefusal> JwtVerifier::check_claims(const Json& claims, int64_t now_s,
                                             int64_t& valid_until_s) const {
  std::optional<double> expires_s;
  std::optional<double> begins_s;
  std::optional<double> issued_s;
  if (!take_time(claims, "exp", expires_s) || !take_time(claims, "nbf", begins_s) ||
      !take_time(claims, "iat", issued_s)) {
    return refuse(JwtRefusal::bad_payload);
  }
  auto leeway_s = static_cast<double>(config_.leeway.count()) / 1'000;
  auto now = static_cast<double>(now_s);
  if (!expires_s && config_.require_exp) return refuse(JwtRefusal::no_expiry);
  if (expires_s && now >= *expires_s + leeway_s) return refuse(JwtRefusal::expired);
  if (begins_s && now < *begins_s - leeway_s) return refuse(JwtRefusal::not_yet_valid);
  if (!config_.issuer.empty()) {
    auto issuer = claims.find("iss");
    if (issuer == claims.end() || *issuer != config_.issuer) return refuse(JwtRefusal::issuer);
  }
  if (!config_.audience.empty() && !is_for(claims, config_.audience)) {
    return refuse(JwtRefusal::audience);
  }
  valid_until_s = expires_s ? static_cast<int64_t>(std::ceil(*expires_s + leeway_s)) : INT64_MAX;
  return Done{};
}

}  // namespace lb
