// SPDX-License-Identifier: MIT
// The section jwt.NAME, and how tokens are named elsewhere.
#include <algorithm>
#include <utility>

#include "common/log.h"
#include "config/file_text.h"
#include "config/sections.h"

namespace lb::config {

namespace {

constexpr milliseconds kLongestLeeway{3'600'000};
constexpr size_t kMaxName = 128;

Scalar<JwtAlgorithm> algorithm() {
  std::vector<Word<JwtAlgorithm>> words;
  for (auto each = JwtAlgorithm::hs256; each <= JwtAlgorithm::eddsa;
       each = static_cast<JwtAlgorithm>(static_cast<uint8_t>(each) + 1)) {
    words.push_back({to_string(each), each});
  }
  return one_of<JwtAlgorithm>(std::move(words), {{"none", "never allowed: anybody could sign"}});
}

// The bytes of the file that the verifier's keys are in.
std::optional<std::string> read_keys(const Value& value, const Draft& draft, JwtConfig& jwt) {
  auto written = value.as(file_path());
  if (!written) return {};
  jwt.file = (draft.directory / *written).native();
  auto bytes = read_file(jwt.file, kMaxJwtKeyFile);
  if (bytes) return std::move(*bytes);
  value.error(fmt::format("cannot read {}: {}", jwt.file, bytes.error().message));
  return {};
}

void read_key_file(Section& section, const Value& whole, const Draft& draft, JwtConfig& jwt,
                   const std::optional<Value>& algorithms) {
  constexpr std::pair<std::string_view, JwtKeyFile> kKinds[] = {
      {"jwks_file", JwtKeyFile::jwks},
      {"public_key_file", JwtKeyFile::public_key},
      {"secret_file", JwtKeyFile::secret}};
  std::optional<Value> given;
  for (const auto& [key, kind] : kKinds) {
    auto value = section.find(key);
    if (!value) continue;
    if (given) {
      value->error_at_key("only one of jwks_file, public_key_file and secret_file can be given");
      continue;
    }
    given = value;
    jwt.kind = kind;
  }
  if (!given) {
    whole.error_at_key("needs one of jwks_file, public_key_file and secret_file");
    return;
  }
  auto bytes = read_keys(*given, draft, jwt);
  if (!bytes || draft.tls == nullptr) return;
  auto finding = draft.tls->jwt_keys(jwt.kind, *bytes, jwt.algorithms);
  if (!finding.error.empty()) given->error(jwt.file + " " + finding.error);
  if (!finding.warning.empty()) given->warn(jwt.file + " " + finding.warning);
  if (!finding.misfit.empty() && algorithms) algorithms->error(finding.misfit);
}

// "authorization", "cookie:NAME" or "header:NAME".
Result<TokenSource> parse_source(std::string_view text) {
  if (text == "authorization") return TokenSource{};
  for (auto [prefix, kind] : {std::pair(std::string_view("cookie:"), TokenSource::Kind::cookie),
                              std::pair(std::string_view("header:"), TokenSource::Kind::header)}) {
    if (!text.starts_with(prefix)) continue;
    auto name = header_name().parse(text.substr(prefix.size()));
    if (!name) return fail(name.error().message);
    return TokenSource{kind, std::move(*name)};
  }
  return fail(not_one_of(text, {"authorization", "cookie:NAME", "header:NAME"}));
}

}  // namespace

void read_jwt(const Value& value, Draft& draft) {
  JwtConfig jwt;
  jwt.name = value.key();
  Section section(value);
  auto algorithms = section.require("algorithms", "list them, such as [RS256]");
  if (algorithms) {
    for (const Value& item : algorithms->one_or_more("algorithms")) {
      if (auto parsed = item.as(algorithm())) jwt.algorithms.push_back(*parsed);
    }
  }
  read_key_file(section, value, draft, jwt, algorithms);
  auto any_text = text(1, 1'024);
  section.read("issuer", jwt.issuer, any_text);
  section.read("audience", jwt.audience, any_text);
  section.read("require_exp", jwt.require_exp, boolean());
  section.read("leeway", jwt.leeway, whole_seconds(milliseconds(0), kLongestLeeway));
  section.reserved({"jwks_url"});
  draft.jwt_names.insert(jwt.name);
  draft.config.jwt[jwt.name] = std::move(jwt);
}

Scalar<std::string> claim_name() {
  return text(1, kMaxName);
}

Scalar<TokenSource> token_source() {
  return {"authorization, cookie:NAME or header:NAME", parse_source};
}

std::optional<std::string> read_verifier(const Value& value, const Draft& draft) {
  auto name = value.as(Scalar<std::string>{
      "the name of a verifier",
      [](std::string_view text) -> Result<std::string> { return std::string(text); }});
  if (!name) return {};
  if (draft.jwt_names.contains(*name)) return name;
  value.error(fmt::format("there is no verifier '{}' in the section jwt", name->substr(0, 60)));
  return {};
}

}  // namespace lb::config
