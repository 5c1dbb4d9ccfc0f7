// SPDX-License-Identifier: MIT
#include "net/connection_limit.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace lb {
namespace {

// Workers that sleep until they are woken.
class Sleepers {
 public:
  explicit Sleepers(size_t workers) : woken_(workers, false) {}

  void wake(size_t worker) {
    std::lock_guard lock(mutex_);
    woken_[worker] = true;
    changed_.notify_all();
  }
  // False when nobody wakes it.
  bool sleep(size_t worker) {
    std::unique_lock lock(mutex_);
    bool woken = changed_.wait_for(lock, std::chrono::seconds(20), [&] { return woken_[worker]; });
    woken_[worker] = false;
    return woken;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<bool> woken_;
};

void run_workers(size_t count, const std::function<void(size_t)>& work) {
  std::vector<std::thread> threads;
  for (size_t worker = 0; worker < count; ++worker) threads.emplace_back(work, worker);
  for (auto& thread : threads) thread.join();
}

TEST(ConnectionLimit, GrantsExactlyItsLimit) {
  ConnectionLimit limit(3, 1, [](size_t) { FAIL() << "nobody waits"; });
  for (uint32_t i = 1; i <= 3; ++i) {
    EXPECT_TRUE(limit.take());
    EXPECT_EQ(limit.open(), i);
  }
  EXPECT_FALSE(limit.take());
  EXPECT_EQ(limit.open(), 3u);
  limit.give_back();
  EXPECT_TRUE(limit.take());
  EXPECT_FALSE(limit.take());
}

TEST(ConnectionLimit, MayBeNoneAtAll) {
  ConnectionLimit limit(ConnectionLimit::kUnlimited, 1, [](size_t) {});
  for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(limit.take());
  EXPECT_EQ(limit.open(), 1'000u);
}

TEST(ConnectionLimit, WakesEachWaitingWorkerOnce) {
  std::vector<size_t> woken;
  ConnectionLimit limit(2, 3, [&](size_t worker) { woken.push_back(worker); });
  EXPECT_TRUE(limit.take() && limit.take());
  limit.wait(2);
  limit.wait(0);
  limit.wait(2);
  EXPECT_TRUE(woken.empty());
  limit.give_back();
  EXPECT_EQ(woken, (std::vector<size_t>{0, 2}));
  limit.give_back();
  EXPECT_EQ(woken.size(), 2u) << "who was woken waits no more";
  limit.wait(1);
  EXPECT_TRUE(limit.take());
  limit.give_back();
  EXPECT_EQ(woken, (std::vector<size_t>{0, 2, 1}));
}

TEST(ConnectionLimit, AWokenWorkerMayWaitAgainFromWithin) {
  int wakes = 0;
  ConnectionLimit* self = nullptr;
  ConnectionLimit limit(1, 1, [&](size_t worker) {
    ++wakes;
    self->wait(worker);
  });
  self = &limit;
  EXPECT_TRUE(limit.take());
  limit.wait(0);
  limit.give_back();
  EXPECT_EQ(wakes, 1);
  EXPECT_TRUE(limit.take());
  limit.give_back();
  EXPECT_EQ(wakes, 2);
}

TEST(ConnectionLimit, ALowerLimitLetsWhatIsOpenFinish) {
  ConnectionLimit limit(5, 1, [](size_t) {});
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limit.take());
  limit.set_limit(2);
  EXPECT_EQ(limit.limit(), 2u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(limit.take()) << limit.open();
    limit.give_back();
  }
  EXPECT_FALSE(limit.take()) << "two are open";
  limit.give_back();
  EXPECT_TRUE(limit.take());
}

TEST(ConnectionLimit, ALimitThatIsSetLaterCountsWhatIsOpen) {
  ConnectionLimit limit(ConnectionLimit::kUnlimited, 1, [](size_t) {});
  run_workers(4, [&](size_t) {
    for (int i = 0; i < 1'000; ++i) EXPECT_TRUE(limit.take());
  });
  EXPECT_EQ(limit.open(), 4'000u);
  limit.set_limit(4'000);
  EXPECT_FALSE(limit.take());
  limit.give_back();
  EXPECT_TRUE(limit.take());
  limit.set_limit(ConnectionLimit::kUnlimited);
  EXPECT_TRUE(limit.take());
  EXPECT_EQ(limit.open(), 4'001u);
}

TEST(ConnectionLimit, AHigherLimitWakesWhoWaits) {
  int wakes = 0;
  ConnectionLimit limit(1, 1, [&](size_t) { ++wakes; });
  EXPECT_TRUE(limit.take());
  limit.wait(0);
  EXPECT_FALSE(limit.take());
  limit.set_limit(2);
  EXPECT_EQ(wakes, 1);
  EXPECT_TRUE(limit.take());
}

TEST(ConnectionLimit, IsNeverExceededNorMissedUnderContention) {
  constexpr size_t kWorkers = 4;
  constexpr uint32_t kLimit = 3;
  ConnectionLimit limit(kLimit, kWorkers, [](size_t) {});
  std::atomic<uint32_t> holding{0};
  std::atomic<uint32_t> above{0};
  std::atomic<uint32_t> granted{0};
  run_workers(kWorkers, [&](size_t) {
    for (int i = 0; i < 20'000; ++i) {
      if (!limit.take()) continue;
      ++granted;
      if (++holding > kLimit) ++above;
      --holding;
      limit.give_back();
    }
  });
  EXPECT_EQ(above, 0u);
  EXPECT_GT(granted, 20'000u);
  EXPECT_EQ(limit.open(), 0u);
}

TEST(ConnectionLimit, NobodyIsRefusedWhoFits) {
  ConnectionLimit limit(4, 4, [](size_t) {});
  std::atomic<uint32_t> refused{0};
  run_workers(4, [&](size_t) {
    for (int i = 0; i < 20'000; ++i) {
      if (!limit.take()) {
        ++refused;
        continue;
      }
      limit.give_back();
    }
  });
  EXPECT_EQ(refused, 0u);
}

// Each worker sleeps whenever there is no room, so that one wake-up lost stops it for good.
TEST(ConnectionLimit, NoWakeUpIsLost) {
  constexpr size_t kWorkers = 4;
  Sleepers sleepers(kWorkers);
  ConnectionLimit limit(1, kWorkers, [&](size_t worker) { sleepers.wake(worker); });
  std::atomic<bool> lost{false};
  std::atomic<uint32_t> holding{0};
  std::atomic<uint32_t> above{0};
  std::atomic<uint32_t> slept{0};
  run_workers(kWorkers, [&](size_t worker) {
    for (int i = 0; i < 5'000 && !lost; ++i) {
      while (!limit.take()) {
        limit.wait(worker);
        if (limit.take()) break;
        ++slept;
        if (!sleepers.sleep(worker)) {
          lost = true;
          return;
        }
      }
      if (++holding > 1) ++above;
      if (i % 16 == 0) std::this_thread::yield();
      --holding;
      limit.give_back();
    }
  });
  EXPECT_FALSE(lost);
  EXPECT_EQ(above, 0u);
  EXPECT_GT(slept, 0u) << "nobody ever waited: nothing is tested";
  EXPECT_EQ(limit.open(), 0u);
}

TEST(ConnectionLimit, NoWakeUpIsLostWhenTheLimitIsRaised) {
  constexpr int kRounds = 3'000;
  Sleepers sleepers(1);
  ConnectionLimit limit(0, 1, [&](size_t worker) { sleepers.wake(worker); });
  std::atomic<int> taken{0};
  std::atomic<bool> lost{false};
  std::thread raiser([&] {
    for (int round = 1; round <= kRounds && !lost; ++round) {
      limit.set_limit(static_cast<uint32_t>(round));
      while (taken < round && !lost) std::this_thread::yield();
    }
  });
  for (int round = 0; round < kRounds && !lost; ++round) {
    while (!limit.take()) {
      limit.wait(0);
      if (limit.take()) break;
      if (!sleepers.sleep(0)) {
        lost = true;
        break;
      }
    }
    ++taken;
  }
  raiser.join();
  EXPECT_FALSE(lost);
}

}  // namespace
}  // namespace lb
