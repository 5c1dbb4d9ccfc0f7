// SPDX-License-Identifier: MIT
// How servers are chosen, as files say it.
#include <gtest/gtest.h>

#include <string>

#include "broken_files.h"
#include "config/loader.h"

namespace lb::config {
namespace {

PoolConfig loaded(const std::string& keys) {
  auto result = load_config_text(with_pool(keys), "/");
  if (result) return result->config.pools.at("db");
  ADD_FAILURE() << result.error().front().to_string("lb.yaml");
  return {};
}

TEST(GoodChoices, LeastLoadNamesWhatCounts) {
  EXPECT_EQ(loaded("balance: least_load").load_metric, LoadMetric::max);
  EXPECT_EQ(loaded("balance: {least_load: max}").load_metric, LoadMetric::max);
  EXPECT_EQ(loaded("balance: {least_load: memory}").load_metric, LoadMetric::memory);
}

TEST(GoodChoices, ClientsMayStickToTheirServers) {
  EXPECT_FALSE(loaded("sticky: off").sticky);
  EXPECT_EQ(loaded("sticky: {by: source_ip}").sticky, StickyConfig());
  StickyConfig all{
      .ttl = milliseconds(60'000), .max_entries = 7, .fallback = StickyFallback::reject};
  EXPECT_EQ(loaded("sticky: {by: source_ip, ttl: 1m, max_entries: 7, fallback: reject}").sticky,
            all);
}

TEST(GoodChoices, VerifiersOfTokensHaveAnAlgorithmAndAFile) {
  auto result = load_config_text(
      with_section("jwt: {shop: {algorithms: [RS256, EdDSA], jwks_file: /dev/null, issuer: id, "
                   "audience: shop, require_exp: false, leeway: 5s}, "
                   "blog: {algorithms: HS256, secret_file: /dev/null}}"),
      "/");
  ASSERT_TRUE(result) << result.error().front().to_string("lb.yaml");
  const auto& jwt = result->config.jwt;
  EXPECT_EQ(jwt.at("shop"), (JwtConfig{.name = "shop",
                                       .algorithms = {JwtAlgorithm::rs256, JwtAlgorithm::eddsa},
                                       .kind = JwtKeyFile::jwks,
                                       .file = "/dev/null",
                                       .issuer = "id",
                                       .audience = "shop",
                                       .require_exp = false,
                                       .leeway = milliseconds(5'000)}));
  EXPECT_EQ(jwt.at("blog"), (JwtConfig{.name = "blog",
                                       .algorithms = {JwtAlgorithm::hs256},
                                       .kind = JwtKeyFile::secret,
                                       .file = "/dev/null"}));
}

TEST(GoodChoices, AStoreOfStickyEntriesIsNamedByItsUrl) {
  auto store = [](const std::string& text) {
    return *loaded("sticky: {by: source_ip, store: " + text + "}").sticky->store;
  };
  EXPECT_FALSE(loaded("sticky: {by: source_ip, store: off}").sticky->store);
  EXPECT_EQ(store("{redis: 'redis://10.0.0.1:6380/3', prefix: 'shop:', timeout: 5ms}"),
            (StickyStoreConfig{.host = "10.0.0.1",
                               .port = 6'380,
                               .database = 3,
                               .prefix = "shop:",
                               .timeout = milliseconds(5)}));
  EXPECT_EQ(store("{redis: 'redis://:s%40cret@redis.example'}"),
            (StickyStoreConfig{.host = "redis.example", .password = "s@cret"}));
  PoolTlsConfig unverified;
  unverified.verify = false;
  EXPECT_EQ(
      store("{redis: 'rediss://joe:a@b@[::1]/', tls: {verify: false}}"),
      (StickyStoreConfig{.host = "::1", .user = "joe", .password = "a@b", .tls = unverified}));
}

}  // namespace
}  // namespace lb::config
