// SPDX-License-Identifier: MIT
#include "app/listening_sockets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/stat.h>

#include <algorithm>
#include <barrier>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "../loopback.h"

namespace lb {
namespace {

using testing::HasSubstr;

class ListeningSocketsTest : public testing::Test {
 protected:
  ListeningSocketsTest() {
    char name[] = "/tmp/lb-sockets-test-XXXXXX";
    directory_ = mkdtemp(name);
  }
  ~ListeningSocketsTest() override {
    unlink(unix_path().c_str());
    rmdir(directory_.c_str());
  }

  std::string unix_path() const { return directory_ + "/x.sock"; }
  // An address as a configuration has it.
  static ListenAddress address(const std::string& text) {
    return {*Address::parse(text), false, text};
  }
  static std::string free_address() { return Listening().address().to_string(); }
  void set(const std::string& listener, const std::vector<std::string>& texts) {
    auto& config = config_.listeners[listener];
    config.name = listener;
    config.addresses.clear();
    for (const auto& text : texts) config.addresses.push_back(address(text));
  }
  static bool answers(const std::string& text) {
    auto fd = connect_stream(*Address::parse(text), nullptr);
    if (!fd) return false;
    pollfd waiting{.fd = fd->get(), .events = POLLOUT, .revents = 0};
    return poll(&waiting, 1, 20'000) == 1 && connect_state(fd->get()) == 0;
  }

  std::string directory_;
  Config config_;
};

TEST_F(ListeningSocketsTest, OpensOneSocketPerWorkerAndOneForAUnixPath) {
  std::string tcp = free_address();
  std::string local = "unix:" + unix_path();
  set("a", {tcp, local});
  auto groups = open_sockets(config_, {}, 3);
  ASSERT_TRUE(groups) << groups.error().message;
  ASSERT_EQ(groups->size(), 2u);
  EXPECT_EQ(groups->at(tcp)->sockets().size(), 3u);
  for (const auto& socket : groups->at(tcp)->sockets()) {
    EXPECT_EQ(local_address(socket->get()).to_string(), tcp);
  }
  EXPECT_EQ(groups->at(local)->sockets().size(), 1u);
  EXPECT_TRUE(answers(tcp));
  EXPECT_TRUE(answers(local));
}

TEST_F(ListeningSocketsTest, AReloadKeepsWhatIsOpenAndOpensWhatIsNew) {
  std::string kept = free_address();
  std::string removed = free_address();
  set("a", {kept, removed});
  auto before = open_sockets(config_, {}, 2);
  ASSERT_TRUE(before);
  std::string added = free_address();
  set("a", {});
  set("b", {kept});  // another listener's now
  set("c", {added});
  auto after = open_sockets(config_, *before, 2);
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(after->size(), 2u);
  EXPECT_EQ(after->at(kept), before->at(kept)) << "the very same sockets";
  EXPECT_TRUE(after->contains(added));
  EXPECT_TRUE(answers(removed)) << "until it is let go";
  *before = {};
  EXPECT_FALSE(answers(removed));
  EXPECT_TRUE(answers(kept));
}

TEST_F(ListeningSocketsTest, AFailureLeavesEverythingAsItWas) {
  std::string kept = free_address();
  set("a", {kept});
  auto open = open_sockets(config_, {}, 2);
  ASSERT_TRUE(open);
  SocketGroups before = *open;
  Listening stranger;
  std::string good = free_address();
  set("b", {good});
  set("c", {stranger.address().to_string()});
  auto failed = open_sockets(config_, *open, 2);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("listeners.c.address: "));
  EXPECT_THAT(failed.error().message, HasSubstr(stranger.address().to_string()));
  EXPECT_THAT(failed.error().message, HasSubstr("another process listens there"));
  EXPECT_EQ(*open, before);
  EXPECT_TRUE(answers(kept));
  EXPECT_FALSE(answers(good)) << "what was opened meanwhile is closed again";
}

TEST_F(ListeningSocketsTest, AFailureLeavesOpenSocketsTheirSettings) {
  std::string kept = free_address();
  set("a", {kept});
  auto open = open_sockets(config_, {}, 1);
  ASSERT_TRUE(open);
  config_.listeners["a"].keepalive.enabled = false;
  Listening stranger;
  set("b", {stranger.address().to_string()});
  EXPECT_FALSE(open_sockets(config_, *open, 1));
  EXPECT_EQ(option(open->at(kept)->sockets()[0]->get(), SOL_SOCKET, SO_KEEPALIVE), 1);
}

TEST_F(ListeningSocketsTest, AnotherProcessThatSharesItsPortIsNoticedAllTheSame) {
  auto stranger = listen_stream(*Address::parse("127.0.0.1:0"), {.reuse_port = true});
  ASSERT_TRUE(stranger);
  set("a", {local_address(stranger->get()).to_string()});
  auto groups = open_sockets(config_, {}, 2);
  ASSERT_FALSE(groups);
  EXPECT_THAT(groups.error().message, HasSubstr("another process listens there"));
}

// Threads for processes: the kernel tells sockets apart, not who opened them.
TEST_F(ListeningSocketsTest, OfSeveralThatStartTogetherOneGetsTheAddress) {
  constexpr size_t kStarting = 4;
  for (int round = 0; round < 100; ++round) {
    set("a", {free_address()});
    std::barrier start(kStarting);
    std::vector<SocketGroups> opened(kStarting);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kStarting; ++i) {
      threads.emplace_back([&, i] {
        start.arrive_and_wait();
        if (auto groups = open_sockets(config_, {}, 2)) opened[i] = std::move(*groups);
      });
    }
    for (auto& thread : threads) thread.join();
    auto winners = std::count_if(opened.begin(), opened.end(),
                                 [](const SocketGroups& groups) { return !groups.empty(); });
    ASSERT_EQ(winners, 1) << "round " << round;
  }
}

// What is queued at the first socket before the others are there is served by its worker.
TEST_F(ListeningSocketsTest, EverySocketOfAGroupGetsItsShare) {
  std::string text = free_address();
  set("a", {text});
  auto groups = open_sockets(config_, {}, 3);
  ASSERT_TRUE(groups);
  std::vector<Fd> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(connect_to(*Address::parse(text)));
  for (const auto& socket : groups->at(text)->sockets()) {
    int accepted = 0;
    while (Fd(accept4(socket->get(), nullptr, nullptr, SOCK_NONBLOCK))) ++accepted;
    EXPECT_GT(accepted, 20);
  }
}

TEST_F(ListeningSocketsTest, AnAddressMayGrowToAWildcardAndShrinkAgain) {
  std::string narrow = free_address();
  std::string port = narrow.substr(narrow.find(':'));
  set("a", {narrow});
  auto open = open_sockets(config_, {}, 2);
  ASSERT_TRUE(open);
  set("a", {"0.0.0.0" + port});
  auto wide = open_sockets(config_, *open, 2);
  ASSERT_TRUE(wide) << wide.error().message;
  open = std::move(wide);
  EXPECT_TRUE(answers(narrow));
  EXPECT_TRUE(answers("127.0.0.5" + port));
  set("a", {narrow});
  auto again = open_sockets(config_, *open, 2);
  ASSERT_TRUE(again) << again.error().message;
  open = std::move(again);
  EXPECT_TRUE(answers(narrow));
  EXPECT_FALSE(answers("127.0.0.5" + port));
}

TEST_F(ListeningSocketsTest, ABareColonTakesBothFamilies) {
  std::string numeric = free_address();
  std::string port = numeric.substr(numeric.find(':') + 1);
  auto number = static_cast<uint16_t>(std::stoi(port));
  auto& listener = config_.listeners["a"];
  listener.name = "a";
  listener.addresses = {{Address::any_v6(number), true, ":" + port}};
  auto groups = open_sockets(config_, {}, 2);
  ASSERT_TRUE(groups) << groups.error().message;
  EXPECT_TRUE(answers(numeric));
  if (Fd(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0))) {
    EXPECT_TRUE(answers("[::1]:" + port));
  }
  // Once it is open, a reload that narrows it finds its own port in use, and that is allowed.
  set("a", {"0.0.0.0:" + port});
  EXPECT_TRUE(open_sockets(config_, *groups, 2));
}

TEST_F(ListeningSocketsTest, KeepaliveAndBacklogTakeEffectOnOpenSockets) {
  std::string text = free_address();
  set("a", {text});
  auto open = open_sockets(config_, {}, 2);
  ASSERT_TRUE(open);
  auto keepalive = [&](int level, int name) {
    return option(open->at(text)->sockets()[1]->get(), level, name);
  };
  EXPECT_EQ(keepalive(SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(keepalive(IPPROTO_TCP, TCP_KEEPIDLE), 60);
  config_.listeners["a"].keepalive.idle = milliseconds(30'000);
  ASSERT_TRUE(open_sockets(config_, *open, 2));
  EXPECT_EQ(keepalive(IPPROTO_TCP, TCP_KEEPIDLE), 60) << "opening changes nothing";
  adjust_sockets(config_, *open);
  EXPECT_EQ(keepalive(IPPROTO_TCP, TCP_KEEPIDLE), 30);
  config_.listeners["a"].keepalive.enabled = false;
  adjust_sockets(config_, *open);
  EXPECT_EQ(keepalive(SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(keepalive(IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
}

TEST_F(ListeningSocketsTest, AUnixPathGoesWithItsSocket) {
  set("a", {"unix:" + unix_path()});
  auto open = open_sockets(config_, {}, 2);
  ASSERT_TRUE(open);
  struct stat info {};
  EXPECT_EQ(stat(unix_path().c_str(), &info), 0);
  auto socket = open->begin()->second->sockets()[0];  // a worker still has it
  *open = {};
  EXPECT_NE(stat(unix_path().c_str(), &info), 0);
  EXPECT_EQ(errno, ENOENT);
}

TEST_F(ListeningSocketsTest, AUnixPathThatAnotherListensAtIsLeftAlone) {
  auto stranger = listen_stream(*Address::parse("unix:" + unix_path()), {});
  ASSERT_TRUE(stranger);
  set("a", {"unix:" + unix_path()});
  EXPECT_FALSE(open_sockets(config_, {}, 2));
  EXPECT_TRUE(answers("unix:" + unix_path()));
}

}  // namespace
}  // namespace lb
