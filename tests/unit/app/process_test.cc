// SPDX-License-Identifier: MIT
#include "app/process.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "../loopback.h"

namespace lb {
namespace {

// Runs a whole process, workers and all, on the test's thread. Each reload reads the next text.
class ProcessTest : public testing::Test {
 protected:
  static std::string free_address() { return Listening().address().to_string(); }
  static bool answers(const std::string& address) {
    auto fd = connect_stream(*Address::parse(address), nullptr);
    if (!fd) return false;
    pollfd waiting{.fd = fd->get(), .events = POLLOUT, .revents = 0};
    return poll(&waiting, 1, 20'000) == 1 && connect_state(fd->get()) == 0;
  }
  std::string listening_at(const std::vector<std::string>& addresses) const {
    std::string list;
    for (const auto& address : addresses) list += "\"" + address + "\",";
    return "listeners: {in: {address: [" + list +
           "], pool: p}}\n"
           "pools: {p: {health_check: off, servers: [\"" +
           server_.address().to_string() +
           "\"]}}\n"
           "runtime: {workers: 2, drain_timeout: 0s}\nlog: {level: error}\n";
  }
  static LoadedConfig parsed(const std::string& text) {
    return std::move(*load_config_text(text, "."));
  }

  // Runs it and calls `step(process)` again and again, from when it is ready until that is true.
  // False when it takes too long.
  template <typename Step>
  bool run(const std::vector<std::string>& texts, Step step) {
    auto next = [this, texts] { return load_config_text(texts.at(++reloads_), "."); };
    Process process({"test", next}, parsed(texts.at(0)));
    int64_t end_ms = monotonic_ms() + 30'000;
    bool is_done = false;
    Timer look(process.loop(), [&] {
      is_done = step(process);
      if (is_done || monotonic_ms() >= end_ms) return process.terminate();
      look.start(milliseconds(5));
    });
    process.on_ready([&] { look.start(milliseconds(5)); });
    EXPECT_EQ(process.run(), 0);
    return is_done;
  }
  // As many signals in a row.
  static void reload_at_once(Process& process, int times) {
    for (int i = 0; i < times; ++i) process.reload();
  }

  Listening server_;
  size_t reloads_ = 0;
};

TEST_F(ProcessTest, AnAddressThatWasRemovedAMomentAgoMayComeBack) {
  std::string stays = free_address();
  std::string returns = free_address();
  std::vector<std::string> texts = {listening_at({stays, returns}), listening_at({stays}),
                                    listening_at({stays, returns})};
  EXPECT_TRUE(run(texts, [&](Process& process) {
    if (reloads_ == 0) reload_at_once(process, 2);
    return reloads_ == 2 && answers(returns) && answers(stays);
  }));
}

TEST_F(ProcessTest, ReloadsThatComeTooFastAreOne) {
  std::string first = free_address();
  std::string last = free_address();
  std::vector<std::string> texts = {listening_at({first}), listening_at({first}),
                                    listening_at({last})};
  EXPECT_TRUE(run(texts, [&](Process& process) {
    if (reloads_ == 0) reload_at_once(process, 10);
    return reloads_ == 2 && answers(last) && !answers(first);
  }));
}

TEST_F(ProcessTest, EveryReloadHearsItsOwnOutcome) {
  std::string file = listening_at({free_address()});
  std::vector<std::string> texts = {file, file, "nonsense: 1\n"};
  std::vector<std::string> heard;
  auto note = [&](const char* what) {
    return [&heard, what](const auto& outcome) {
      heard.push_back(std::string(what) + (outcome ? " holds" : " is refused"));
    };
  };
  EXPECT_TRUE(run(texts, [&](Process& process) {
    if (reloads_ == 0) {
      process.reload(note("first"));
      process.reload(note("second"));
      process.reload(note("third"));
      process.replace_config({file, [](const std::string&) { return true; }}, note("sent"));
    }
    return heard.size() == 4;
  }));
  EXPECT_EQ(heard, std::vector<std::string>(
                       {"first holds", "second is refused", "third is refused", "sent holds"}));
}

}  // namespace
}  // namespace lb
