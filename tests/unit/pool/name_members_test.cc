// SPDX-License-Identifier: MIT
#include "pool/name_members.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace lb {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

Result<ResolvedHost> answer(const std::vector<std::string>& ips, seconds ttl = seconds(30),
                            bool partial = false) {
  ResolvedHost host{.ttl = ttl, .partial = partial};
  for (const auto& ip : ips) host.addresses.push_back(*Address::parse_ip(ip, 0));
  std::sort(host.addresses.begin(), host.addresses.end());
  return host;
}

Result<ResolvedHost> error() {
  return fail("cannot resolve 'db': the name servers do not answer");
}

std::vector<std::string> ips(const NameMembers& members) {
  std::vector<std::string> texts;
  for (const Address& address : members.addresses()) texts.push_back(address.ip_string());
  return texts;
}

// "a", "b" and "c" stand for three addresses; "p" marks a partial answer, "!" an error, "" an empty
// answer.
TEST(NameMembers, FollowsTheAnswers) {
  struct Row {
    const char* what;
    std::vector<std::string> answers;
    std::string members;
    bool changed;  // by the last answer
  };
  const Row rows[] = {
      {"nothing before the first answer", {}, "", false},
      {"the first answer joins", {"ab"}, "ab", true},
      {"the same again changes nothing", {"ab", "ba"}, "ab", false},
      {"a new one joins at once", {"a", "ab"}, "ab", true},
      {"one that is missing once stays", {"ab", "a"}, "ab", false},
      {"one that is missing twice leaves", {"ab", "a", "a"}, "a", true},
      {"one that comes back in between stays", {"ab", "a", "ab", "a"}, "ab", false},
      {"and leaves when it is missing twice after that", {"ab", "a", "ab", "a", "a"}, "a", true},
      {"each has its own count", {"abc", "ac", "a"}, "ac", true},
      {"and the second leaves an answer later", {"abc", "ac", "a", "a"}, "a", true},
      {"all are replaced, the old ones one answer later", {"ab", "c"}, "abc", true},
      {"all are replaced", {"ab", "c", "c"}, "c", true},
      {"one that left may join again", {"ab", "a", "a", "ab"}, "ab", true},
      {"and stays as long as any other", {"ab", "a", "a", "ab", "a"}, "ab", false},
      {"an error at the start is none", {"!", "ab"}, "ab", true},
      {"an empty answer at the start too", {"", "ab"}, "ab", true},
      {"errors change nothing", {"ab", "!", "!", "!"}, "ab", false},
      {"empty answers change nothing", {"ab", "", "", ""}, "ab", false},
      {"an error alone lets nobody leave", {"ab", "a", "!"}, "ab", false},
      {"an error between two answers does not part them", {"ab", "a", "!", "a"}, "a", true},
      {"an empty answer neither", {"ab", "a", "", "a"}, "a", true},
      {"a partial answer lets nobody leave", {"ab", "ap", "ap", "ap"}, "ab", false},
      {"not even after a whole one", {"ab", "a", "ap"}, "ab", false},
      {"but others may join", {"ab", "acp"}, "abc", true},
      {"it does not part two whole ones", {"ab", "a", "ap", "a"}, "a", true},
      {"who is in a partial answer is not missing", {"ab", "a", "bp", "a"}, "ab", false},
      {"a partial answer may be the first", {"ap"}, "a", true},
  };
  const auto address = [](char letter) { return "10.0.0." + std::to_string(letter - 'a' + 1); };
  for (const Row& row : rows) {
    NameMembers members;
    bool changed = false;
    for (const std::string& letters : row.answers) {
      std::vector<std::string> given;
      for (char letter : letters) {
        if (letter >= 'a' && letter <= 'c') given.push_back(address(letter));
      }
      bool partial = letters.ends_with('p');
      changed = members.take(letters == "!" ? error() : answer(given, seconds(30), partial));
    }
    std::vector<std::string> expected;
    for (char letter : row.members) expected.push_back(address(letter));
    EXPECT_EQ(ips(members), expected) << row.what;
    EXPECT_EQ(changed, row.changed) << row.what;
  }
}

TEST(NameMembers, SortsBothFamilies) {
  NameMembers members;
  members.take(answer({"2001:db8::1", "10.0.0.10", "10.0.0.9", "::1"}));
  EXPECT_THAT(ips(members), ElementsAre("10.0.0.9", "10.0.0.10", "::1", "2001:db8::1"));
}

TEST(NameMembers, WaitsForTheTtlWithinItsBounds) {
  struct Row {
    seconds ttl;
    milliseconds wait;
  };
  const Row rows[] = {
      {seconds(0), milliseconds(1'000)},       {seconds(1), milliseconds(1'000)},
      {seconds(2), milliseconds(2'000)},       {seconds(30), milliseconds(30'000)},
      {seconds(300), milliseconds(300'000)},   {seconds(301), milliseconds(300'000)},
      {seconds::max(), milliseconds(300'000)}, {seconds(-5), milliseconds(1'000)},
  };
  for (const Row& row : rows) {
    NameMembers members;
    members.take(answer({"10.0.0.1"}, row.ttl));
    EXPECT_EQ(members.next_wait(), row.wait) << row.ttl.count() << " s";
  }
}

TEST(NameMembers, WaitsLongerAfterEachFailureAndNoLongerAfterAnAnswer) {
  NameMembers members;
  std::vector<int64_t> waits;
  for (int i = 0; i < 7; ++i) {
    members.take(i % 2 == 0 ? error() : answer({}, seconds(3'600)));
    waits.push_back(members.next_wait().count());
  }
  EXPECT_THAT(waits, ElementsAre(1'000, 2'000, 4'000, 8'000, 16'000, 16'000, 16'000));
  members.take(answer({"10.0.0.1"}, seconds(60)));
  EXPECT_EQ(members.next_wait(), milliseconds(60'000));
  members.take(error());
  EXPECT_EQ(members.next_wait(), milliseconds(1'000));
}

}  // namespace
}  // namespace lb
