// SPDX-License-Identifier: MIT
#include "net/acceptor.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <vector>

#include "../loopback.h"
#include "common/log.h"
#include "net/descriptor_reserve.h"

namespace lb {
namespace {

using std::chrono::milliseconds;

// UBSan needs a pipe to look at a class for the first time: what acceptors log is logged once
// before descriptors run out.
void log_once() {
  log::warning("the test goes on: {}", strerror(EMFILE));
}

constexpr uint32_t kUnlimited = ConnectionLimit::kUnlimited;

// An acceptor of worker 0 and the clients that come to it.
class AcceptorRig {
 public:
  explicit AcceptorRig(uint32_t process_limit = kUnlimited, uint32_t listener_limit = kUnlimited)
      : process(process_limit, 1, [this](size_t) { ++wakes; }),
        listener(listener_limit, 1, [this](size_t) { ++wakes; }) {
    acceptor = std::make_unique<Acceptor>(
        loop, listening.fd(), 0, process, listener,
        [this](Fd client, const Address& peer) {
          accepted.push_back(std::move(client));
          peers.push_back(peer);
        },
        [this](Acceptor::Lack lack) {
          lacks.push_back(lack);
          return there_may_be_room;
        });
  }

  void connect(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      clients.push_back(connect_to(listening.address()));
      // Until the handshake is through it is in no queue.
      while (connect_state(clients.back().get()) == EINPROGRESS) sched_yield();
    }
  }
  void turns(int count) {
    for (int i = 0; i < count; ++i) loop.run_turn(false);
  }
  void close_one() {
    accepted.pop_back();
    listener.give_back();
    process.give_back();
  }

  EventLoop loop;
  Listening listening;
  ConnectionLimit process;
  ConnectionLimit listener;
  std::unique_ptr<Acceptor> acceptor;
  std::vector<Fd> clients;
  std::vector<Fd> accepted;
  std::vector<Address> peers;
  std::vector<Acceptor::Lack> lacks;
  bool there_may_be_room = false;
  int wakes = 0;
};

TEST(Acceptor, HandsOverEachConnectionWithItsPeerAndItsCounts) {
  AcceptorRig rig;
  rig.connect(3);
  ASSERT_TRUE(run_until(rig.loop, [&] { return rig.accepted.size() == 3; }));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(rig.peers[i], local_address(rig.clients[i].get()));
    EXPECT_TRUE(fcntl(rig.accepted[i].get(), F_GETFL) & O_NONBLOCK);
    EXPECT_TRUE(fcntl(rig.accepted[i].get(), F_GETFD) & FD_CLOEXEC);
  }
  EXPECT_EQ(rig.process.open(), 3u);
  EXPECT_EQ(rig.listener.open(), 3u);
}

TEST(Acceptor, CountsOnlyWhatItHandsOver) {
  AcceptorRig rig;
  rig.connect(1);
  rig.turns(10);  // the last of them find nothing more
  EXPECT_EQ(rig.accepted.size(), 1u);
  EXPECT_EQ(rig.process.open(), 1u);
  EXPECT_EQ(rig.listener.open(), 1u);
}

TEST(Acceptor, TakesBurstsInBatchesThatAreBounded) {
  AcceptorRig rig;
  rig.connect(300);
  size_t largest = 0;
  int turns = 0;
  while (rig.accepted.size() < 300 && turns < 400) {
    size_t before = rig.accepted.size();
    rig.loop.run_turn(false);
    ++turns;
    largest = std::max(largest, rig.accepted.size() - before);
  }
  EXPECT_EQ(rig.accepted.size(), 300u);
  EXPECT_GT(largest, 1u);
  EXPECT_LE(largest, 32u);
  EXPECT_LE(turns, 50);
}

struct LimitCase {
  const char* name;
  uint32_t process;
  uint32_t listener;
};

class AcceptorLimits : public testing::TestWithParam<LimitCase> {};

TEST_P(AcceptorLimits, PausesAtTheLimitAndGoesOnWhenThereIsRoom) {
  AcceptorRig rig(GetParam().process, GetParam().listener);
  rig.connect(5);
  rig.turns(50);
  EXPECT_EQ(rig.accepted.size(), 2u);
  EXPECT_EQ(rig.process.open(), 2u);
  EXPECT_EQ(rig.listener.open(), 2u);
  EXPECT_EQ(rig.wakes, 0);

  // Those that wait are served in turn as others go.
  for (size_t left = 3; left > 0; --left) {
    int before = rig.wakes;
    rig.close_one();
    EXPECT_GT(rig.wakes, before) << "nobody told the waiting worker";
    rig.acceptor->resume();
    rig.turns(50);
    EXPECT_EQ(rig.accepted.size(), 2u);
    EXPECT_EQ(rig.process.open(), 2u);
    EXPECT_EQ(rig.listener.open(), 2u);
  }
  rig.close_one();
  rig.acceptor->resume();
  rig.turns(50);
  EXPECT_EQ(rig.accepted.size(), 1u) << "all five were served";
}

TEST_P(AcceptorLimits, SaysWhatIsLackingWhenSomebodyWaits) {
  AcceptorRig rig(GetParam().process, GetParam().listener);
  rig.connect(2);
  rig.turns(50);
  rig.acceptor->resume();
  rig.turns(50);
  EXPECT_TRUE(rig.lacks.empty()) << "nobody waits yet";
  rig.connect(1);
  rig.turns(50);
  auto lack = GetParam().process == kUnlimited ? Acceptor::Lack::listener_limit
                                               : Acceptor::Lack::process_limit;
  EXPECT_EQ(rig.lacks, std::vector{lack});
}

TEST_P(AcceptorLimits, FinishingAsksForNoRoom) {
  AcceptorRig rig(GetParam().process, GetParam().listener);
  rig.connect(5);
  rig.acceptor->finish();
  EXPECT_EQ(rig.accepted.size(), 2u);
  EXPECT_TRUE(rig.lacks.empty());
}

TEST_P(AcceptorLimits, AsksAgainWhereThereMayBeRoomLater) {
  AcceptorRig rig(GetParam().process, GetParam().listener);
  rig.there_may_be_room = true;
  rig.connect(3);
  EXPECT_TRUE(run_until(rig.loop, [&] { return rig.lacks.size() == 3; }));
  EXPECT_EQ(rig.accepted.size(), 2u);
}

TEST_P(AcceptorLimits, DoesNotSpinWhileItPauses) {
  AcceptorRig rig(GetParam().process, GetParam().listener);
  rig.connect(5);
  rig.turns(50);
  bool over = false;
  Timer end(rig.loop, [&] { over = true; });
  end.start(milliseconds(30));
  int turns = 0;
  for (; !over; ++turns) rig.loop.run_turn();
  EXPECT_LE(turns, 3);
}

TEST_P(AcceptorLimits, ResumingWithoutRoomChangesNothing) {
  AcceptorRig rig(GetParam().process, GetParam().listener);
  rig.connect(5);
  for (int i = 0; i < 5; ++i) {
    rig.acceptor->resume();
    rig.turns(10);
  }
  EXPECT_EQ(rig.accepted.size(), 2u);
  EXPECT_EQ(rig.process.open(), 2u);
}

TEST_P(AcceptorLimits, FinishingServesNoMoreThanTheLimitEither) {
  AcceptorRig rig(GetParam().process, GetParam().listener);
  rig.connect(5);
  rig.acceptor->finish();
  EXPECT_EQ(rig.accepted.size(), 2u);
  EXPECT_EQ(rig.process.open(), 2u);
  EXPECT_EQ(rig.listener.open(), 2u);
}

INSTANTIATE_TEST_SUITE_P(Rows, AcceptorLimits,
                         testing::Values(LimitCase{"OfTheProcess", 2, kUnlimited},
                                         LimitCase{"OfTheListener", kUnlimited, 2},
                                         LimitCase{"OfBoth", 2, 2}),
                         [](const auto& row) { return row.param.name; });

TEST(Acceptor, FinishServesWhatIsQueuedAndNobodyAfterwards) {
  AcceptorRig rig;
  rig.connect(70);
  rig.acceptor->finish();
  EXPECT_EQ(rig.accepted.size(), 70u) << "without a turn of the loop";
  rig.connect(1);
  rig.turns(10);
  rig.acceptor->resume();
  rig.turns(10);
  EXPECT_EQ(rig.accepted.size(), 70u);
  EXPECT_EQ(rig.process.open(), 70u);
}

TEST(Acceptor, RestsWhenDescriptorsRunOutAndRecovers) {
  log_once();
  AcceptorRig rig;
  rig.connect(3);
  bool over = false;
  Timer end(rig.loop, [&] { over = true; });
  end.start(milliseconds(60));
  int turns = 0;
  {
    NoDescriptors none;
    for (; !over; ++turns) rig.loop.run_turn();
  }
  EXPECT_EQ(rig.accepted.size(), 0u);
  EXPECT_EQ(rig.process.open(), 0u);
  EXPECT_EQ(rig.listener.open(), 0u);
  EXPECT_LE(turns, 4) << "it spins";
  rig.acceptor->resume();  // room under a limit does not end the rest
  rig.turns(3);
  EXPECT_TRUE(run_until(rig.loop, [&] { return rig.accepted.size() == 3; }));
  EXPECT_EQ(rig.process.open(), 3u);
}

// Who was accepted before it could be known waits, others are not accepted.
TEST(Acceptor, LeavesTheReserveAloneAndServesWhoeverItHoldsWhenThereIsAnother) {
  log_once();
  AcceptorRig rig;
  rig.connect(3);
  Fd in_use(dup(0));
  DescriptorReserve reserve;
  reserve.begin_at(lowest_free_descriptor());
  LeavesReserve leaves(reserve);
  EXPECT_TRUE(run_until(rig.loop, [&] { return rig.lacks.size() == 3; })) << "after two rests";
  EXPECT_EQ(rig.lacks, std::vector(3, Acceptor::Lack::descriptors));
  EXPECT_TRUE(rig.accepted.empty());
  EXPECT_EQ(rig.process.open(), 1u) << "the one that it holds";
  int freed = in_use.get();
  in_use.reset();
  ASSERT_TRUE(run_until(rig.loop, [&] { return rig.accepted.size() == 1; }));
  EXPECT_EQ(rig.accepted[0].get(), freed);
  EXPECT_EQ(rig.peers[0], local_address(rig.clients[0].get()));
  EXPECT_TRUE(fcntl(freed, F_GETFL) & O_NONBLOCK);
  EXPECT_TRUE(fcntl(freed, F_GETFD) & FD_CLOEXEC);
  reserve.begin_at(INT_MAX);
  ASSERT_TRUE(run_until(rig.loop, [&] { return rig.accepted.size() == 3; }));
  EXPECT_EQ(rig.process.open(), 3u);
}

TEST(Acceptor, FinishServesWhoeverItHolds) {
  log_once();
  AcceptorRig rig;
  rig.connect(2);
  DescriptorReserve reserve;
  reserve.begin_at(lowest_free_descriptor());
  LeavesReserve leaves(reserve);
  ASSERT_TRUE(run_until(rig.loop, [&] { return !rig.lacks.empty(); }));
  rig.acceptor->finish();
  EXPECT_EQ(rig.accepted.size(), 2u);
  EXPECT_EQ(rig.process.open(), 2u);
}

TEST(Acceptor, FinishEndsARestToo) {
  log_once();
  AcceptorRig rig;
  rig.connect(2);
  {
    NoDescriptors none;
    rig.turns(3);
    rig.acceptor->finish();
  }
  EXPECT_EQ(rig.accepted.size(), 0u);
  EXPECT_TRUE(stays_away(
      rig.loop, [&] { return !rig.accepted.empty(); }, milliseconds(150)));
  EXPECT_EQ(rig.process.open(), 0u);
}

TEST(Acceptor, FinishEndsAtASocketThatListensNoMore) {
  AcceptorRig rig;
  rig.connect(1);
  shutdown(rig.listening.fd(), SHUT_RDWR);
  rig.acceptor->finish();
  EXPECT_EQ(rig.process.open(), rig.accepted.size());
}

TEST(Acceptor, AClientThatLeftTheQueueHoldsUpNobody) {
  AcceptorRig rig;
  rig.connect(3);
  set_reset_on_close(rig.clients[1].get());
  rig.clients[1].reset();
  ASSERT_TRUE(run_until(rig.loop, [&] { return rig.accepted.size() >= 2; }));
  rig.turns(5);
  EXPECT_EQ(rig.process.open(), rig.accepted.size());
}

}  // namespace
}  // namespace lb
