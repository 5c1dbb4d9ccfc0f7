// SPDX-License-Identifier: MIT
#include "app/overlay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/loader.h"

namespace lb {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Config file(const std::string& servers = "[{name: a, address: '10.0.0.1:1', weight: 2}, b:1]",
            const std::string& more = "") {
  auto loaded = load_config_text(
      "listeners: {l: {address: ':80', pool: web}}\npools: {web: {servers: " + servers + more +
          "}}",
      "/");
  if (!loaded) ADD_FAILURE() << loaded.error()[0].message;
  return loaded->config;
}

std::vector<std::string> names(const Config& config) {
  std::vector<std::string> all;
  for (const ServerConfig& server : config.pools.at("web").servers) {
    all.push_back(server.name + "=" + std::to_string(server.weight));
  }
  return all;
}

ServerConfig server(const std::string& name) {
  ServerConfig made;
  made.name = name;
  made.address = *Address::parse("10.0.0.9:1");
  return made;
}

const Overlay::Key kA{"web", "a"};
const Overlay::Key kB{"web", "b:1"};
const Overlay::Key kC{"web", "c"};

class OverlayTest : public testing::Test {
 protected:
  Config lay(const Config& over) {
    dropped_.clear();
    return with_overlay(over, overlay_, dropped_);
  }
  Overlay overlay_;
  std::vector<std::string> dropped_;
};

TEST_F(OverlayTest, ChangesWhatItNamesAndNothingElse) {
  overlay_.added[kC] = {server("c"), {}};
  overlay_.weights[kA] = {7, 2};
  overlay_.removed[kB] = file().pools.at("web").servers[1];
  overlay_.algorithms["web"] = {Balance::random, Balance::round_robin};
  Config config = lay(file());
  EXPECT_THAT(names(config), ElementsAre("a=7", "c=1"));
  EXPECT_EQ(config.pools.at("web").balance, Balance::random);
  EXPECT_THAT(dropped_, IsEmpty());
  // The same once more: it holds over reloads.
  EXPECT_THAT(names(lay(file())), ElementsAre("a=7", "c=1"));
}

TEST_F(OverlayTest, TheFileWinsWhereItChanges) {
  overlay_.weights[kA] = {7, 2};
  overlay_.removed[kB] = file().pools.at("web").servers[1];
  overlay_.algorithms["web"] = {Balance::random, Balance::round_robin};
  Config config =
      lay(file("[{name: a, address: '10.0.0.1:1', weight: 3}, {address: 'b:1', weight: 9}]",
               ", balance: least_connections"));
  EXPECT_THAT(names(config), ElementsAre("a=3", "b:1=9"));
  EXPECT_EQ(config.pools.at("web").balance, Balance::least_connections);
  EXPECT_THAT(dropped_, ElementsAre(HasSubstr("algorithm of pool web"),
                                    HasSubstr("removal of server web/b:1"),
                                    HasSubstr("weight of server web/a")));
  EXPECT_EQ(overlay_, Overlay{});
}

TEST_F(OverlayTest, AWeightStaysWhenOnlyTheAddressChanges) {
  overlay_.weights[kA] = {7, 2};
  EXPECT_THAT(names(lay(file("[{name: a, address: '10.0.0.5:1', weight: 2}]"))),
              ElementsAre("a=7"));
}

TEST_F(OverlayTest, WhatIsGoneFromTheFileIsDropped) {
  overlay_.weights[kA] = {7, 2};
  overlay_.states[kA] = AdminState::drain;
  overlay_.added[{"old", "x"}] = {server("x"), {}};
  overlay_.algorithms["old"] = {Balance::random, Balance::round_robin};
  EXPECT_THAT(names(lay(file("[b:1]"))), ElementsAre("b:1=1"));
  EXPECT_EQ(dropped_.size(), 4U);
  EXPECT_EQ(overlay_, Overlay{});
}

TEST_F(OverlayTest, AnAddedServerGivesWayToOneOfTheFile) {
  overlay_.added[kA] = {server("a"), {}};
  EXPECT_THAT(names(lay(file())), ElementsAre("a=2", "b:1=1"));
  EXPECT_THAT(dropped_, ElementsAre(HasSubstr("the file has a server of that name now")));
}

TEST_F(OverlayTest, AServerOfTheFileMayBeReplaced) {
  overlay_.removed[kA] = file().pools.at("web").servers[0];
  overlay_.added[kA] = {server("a"), {}};
  EXPECT_THAT(names(lay(file())), ElementsAre("b:1=1", "a=1"));
  EXPECT_THAT(dropped_, IsEmpty());
}

TEST_F(OverlayTest, AStateMayBeOfOneAddressOfAName) {
  overlay_.states[{"web", "b:1/10.0.0.7:1"}] = AdminState::drain;
  overlay_.states[kA] = AdminState::maintenance;
  overlay_.states[kC] = AdminState::drain;
  overlay_.added[kC] = {server("c"), {}};
  lay(file());
  EXPECT_THAT(dropped_, IsEmpty());
  lay(file("[{name: a, address: '10.0.0.1:1', weight: 2}]"));
  EXPECT_THAT(dropped_, ElementsAre(HasSubstr("web/b:1/10.0.0.7:1")));
}

}  // namespace
}  // namespace lb
