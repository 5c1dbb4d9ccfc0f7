// SPDX-License-Identifier: MIT
#include "l7/jwt_token.h"

#include <utility>

#include "common/base64url.h"

namespace lb {

namespace {

// Deeper than any claim is.
constexpr size_t kMaxDepth = 16;

Unexpected<JwtRefusal> refuse(JwtRefusal why) {
  return {why};
}

std::optional<Json> parse_object(std::string_view part) {
  auto bytes = decode_base64url(part);
  if (!bytes) return {};
  auto json = parse_json(*bytes, kMaxDepth);
  if (!json || !json->is_object()) return {};
  return std::move(*json);
}

// The text of a member, absent where the object has none; false where it is no text.
bool take_text(const Json& object, const char* name, std::optional<std::string>& out) {
  auto found = object.find(name);
  if (found == object.end()) return true;
  if (!found->is_string()) return false;
  out = found->get<std::string>();
  return true;
}

}  // namespace

const char* to_string(JwtRefusal refusal) {
  switch (refusal) {
    case JwtRefusal::too_long:
      return "longer than 8 KiB";
    case JwtRefusal::not_compact:
      return "not three parts of base64url";
    case JwtRefusal::bad_header:
      return "no header of a JSON Web Token";
    case JwtRefusal::bad_payload:
      return "no claims of a JSON Web Token";
    case JwtRefusal::algorithm:
      return "signed by an algorithm that is not allowed";
    case JwtRefusal::critical:
      return "has an extension that is not known";
    case JwtRefusal::no_key:
      return "not exactly one key fits";
    case JwtRefusal::signature:
      return "wrong signature";
    case JwtRefusal::no_expiry:
      return "never expires";
    case JwtRefusal::expired:
      return "expired";
    case JwtRefusal::not_yet_valid:
      return "not valid yet";
    case JwtRefusal::issuer:
      return "from another issuer";
    case JwtRefusal::audience:
      return "for another audience";
  }
  return "";
}

Result<JwtToken, JwtRefusal> parse_jwt(std::string_view text) {
  if (text.size() > kMaxToken) return refuse(JwtRefusal::too_long);
  size_t first = text.find('.');
  size_t second = first == std::string_view::npos ? first : text.find('.', first + 1);
  if (second == std::string_view::npos || text.find('.', second + 1) != std::string_view::npos) {
    return refuse(JwtRefusal::not_compact);
  }
  JwtToken token;
  token.signed_part = text.substr(0, second);
  auto signature = decode_base64url(text.substr(second + 1));
  if (!signature) return refuse(JwtRefusal::not_compact);
  token.signature = std::move(*signature);
  auto header = parse_object(text.substr(0, first));
  if (!header) return refuse(JwtRefusal::bad_header);
  if (header->contains("crit") || header->contains("b64")) return refuse(JwtRefusal::critical);
  std::optional<std::string> algorithm;
  std::optional<std::string> type;
  if (!take_text(*header, "alg", algorithm) || !algorithm ||
      !take_text(*header, "kid", token.kid) || !take_text(*header, "typ", type)) {
    return refuse(JwtRefusal::bad_header);
  }
  token.algorithm = std::move(*algorithm);
  auto claims = parse_object(text.substr(first + 1, second - first - 1));
  if (!claims) return refuse(JwtRefusal::bad_payload);
  token.claims = std::move(*claims);
  return token;
}

}  // namespace lb
