// SPDX-License-Identifier: MIT
#include "l7/sticky_cookies.h"

#include <algorithm>

#include "common/base64url.h"

namespace lb {

namespace {

// A value is the server's id, the time of writing in ms since 1970, and what signs both.
constexpr size_t kIdSize = 8;
constexpr size_t kTimeSize = 6;
constexpr size_t kTagSize = 16;
constexpr size_t kBodySize = kIdSize + kTimeSize;
constexpr size_t kTextSize = (kBodySize + kTagSize) / 3 * 4;

// A cookie is written anew at the first use after an eighth of its time, and so is good for an
// eighth longer.
constexpr int64_t kParts = 8;

void put_time(std::string& out, int64_t ms) {
  for (size_t i = 0; i < kTimeSize; ++i) out.push_back(static_cast<char>(ms >> (8 * i) & 0xff));
}

int64_t time_of(std::string_view bytes) {
  int64_t ms = 0;
  for (size_t i = kTimeSize; i-- > 0;) ms = ms << 8 | static_cast<unsigned char>(bytes[i]);
  return ms;
}

std::string_view view_of(const Hmac::Tag& tag, size_t size = sizeof(Hmac::Tag)) {
  return {tag.data(), size};
}

std::vector<uint32_t> numbers_of(const std::vector<Member>& members) {
  std::vector<uint32_t> numbers;
  numbers.reserve(members.size());
  for (const Member& member : members) numbers.push_back(member.server->number());
  return numbers;
}

}  // namespace

StickyCookies::StickyCookies(const PoolConfig& pool, const std::vector<Member>& members,
                             const std::vector<std::string>& keys)
    : pool_(pool.name),
      name_(pool.sticky->cookie),
      ttl_ms_(pool.sticky->ttl.count()),
      secrets_(keys),
      members_(numbers_of(members)) {
  for (const std::string& text : secrets_) {
    Hmac secret(text);
    Key& key = keys_.emplace_back(Key{Hmac(view_of(secret.of("cookie\n" + pool_))), {}});
    for (const Member& member : members) {
      std::string server = "server\n" + pool_ + '\n' + member.server->address().to_string();
      key.servers.emplace_back(view_of(secret.of(server), kIdSize), member.server->number());
    }
    std::sort(key.servers.begin(), key.servers.end());
  }
}

std::optional<StickyCookies::Content> StickyCookies::read(std::string_view value,
                                                          int64_t now_ms) const {
  if (value.size() != kTextSize) return {};
  auto bytes = decode_base64url(value);
  if (!bytes) return {};
  std::string_view tag(*bytes);
  std::string_view body = tag.substr(0, kBodySize);
  tag.remove_prefix(kBodySize);
  auto signer = std::find_if(keys_.begin(), keys_.end(),
                             [&](const Key& key) { return key.signer.has_made(tag, body); });
  if (signer == keys_.end()) return {};
  // Another balancer's clock may be ahead.
  int64_t age_ms = std::max<int64_t>(0, now_ms - time_of(body.substr(kIdSize)));
  if (age_ms >= ttl_ms_ + ttl_ms_ / kParts) return {};
  Content content;
  content.is_old = age_ms >= ttl_ms_ / kParts || signer != keys_.begin();
  auto server = std::lower_bound(signer->servers.begin(), signer->servers.end(),
                                 std::pair(Id(body.substr(0, kIdSize)), uint32_t{0}));
  bool is_there = server != signer->servers.end() && server->first == body.substr(0, kIdSize);
  if (is_there) content.server = server->second;
  return content;
}

std::string StickyCookies::write(uint32_t server, int64_t now_ms, bool is_secure) const {
  const Key& key = keys_.front();
  auto found = std::find_if(key.servers.begin(), key.servers.end(),
                            [=](const auto& known) { return known.second == server; });
  if (found == key.servers.end()) return {};
  std::string bytes = found->first;
  put_time(bytes, now_ms);
  bytes.append(view_of(key.signer.of(bytes), kTagSize));
  std::string field = name_ + '=' + encode_base64url(bytes) + "; Path=/; HttpOnly; SameSite=Lax";
  if (is_secure) field += "; Secure";
  return field;
}

bool StickyCookies::is_of(const PoolConfig& pool, const std::vector<Member>& members,
                          const std::vector<std::string>& keys) const {
  return pool.name == pool_ && pool.sticky->cookie == name_ &&
         pool.sticky->ttl.count() == ttl_ms_ && keys == secrets_ && numbers_of(members) == members_;
}

}  // namespace lb
