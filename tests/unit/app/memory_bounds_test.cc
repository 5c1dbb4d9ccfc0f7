// SPDX-License-Identifier: MIT
#include "app/memory_bounds.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace lb {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMiB = 1 << 20;

TEST(MemoryBounds, OfTheMachineIsWhatTheKernelCallsAvailable) {
  auto bound = bound_of_machine(
      "MemTotal:        2048000 kB\nMemFree:          100 kB\nMemAvailable:    1024000 kB\n");
  ASSERT_TRUE(bound);
  EXPECT_EQ(bound->limit, 2'048'000u * 1024);
  EXPECT_EQ(bound->left, 1'024'000u * 1024);
  EXPECT_FALSE(bound_of_machine("MemTotal: 2048000 kB\nMemFree: 100 kB\n")) << "before Linux 3.14";
  EXPECT_FALSE(bound_of_machine(""));
}

TEST(MemoryBounds, OfAGroupLeaveOutWhatFilesHaveCached) {
  struct Row {
    const char* what;
    GroupFiles files;
    std::optional<uint64_t> left;  // none: no bound
  };
  const Row rows[] = {
      {"v2", {"1000\n", "700\n", "anon 400\nactive_file 50\ninactive_file 100\n"}, 450},
      {"v2 without a limit", {"max\n", "700\n", "inactive_file 100\n"}, {}},
      {"v1",
       {"1000\n", "700\n", "inactive_file 1\ntotal_inactive_file 100\ntotal_active_file 50"},
       450},
      {"v1 without a limit", {"9223372036854771712\n", "700\n", ""}, {}},
      {"nothing cached", {"1000", "700", ""}, 300},
      {"more than the limit", {"1000", "1001", ""}, 0},
      {"more cached than used by now", {"1000", "700", "inactive_file 900"}, 1000},
      {"no usage", {"1000", "", ""}, {}},
      {"no files", {"", "", ""}, {}},
  };
  for (const Row& row : rows) {
    auto bound = bound_of_group("name", row.files);
    ASSERT_EQ(bound.has_value(), row.left.has_value()) << row.what;
    if (!bound) continue;
    EXPECT_EQ(bound->name, "name");
    EXPECT_EQ(bound->limit, 1000u) << row.what;
    EXPECT_EQ(bound->left, *row.left) << row.what;
  }
}

TEST(MemoryBounds, OfTheProcess) {
  EXPECT_EQ(bound_of_process("name", 1000, 300)->left, 700u);
  EXPECT_EQ(bound_of_process("name", 1000, 1001)->left, 0u);
  EXPECT_FALSE(bound_of_process("name", RLIM_INFINITY, 300));
}

class MemoryFiles : public testing::Test {
 protected:
  MemoryFiles() {
    char name[] = "/tmp/lb-memory-XXXXXX";
    if (mkdtemp(name) == nullptr) throw std::runtime_error("no directory");
    root_ = name;
  }
  ~MemoryFiles() override { fs::remove_all(root_); }

  void write(const fs::path& file, const std::string& text) const {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const MemoryBound& bound : memory_bounds(root_)) {
      names.push_back(fs::path(bound.name).lexically_relative(root_ / "sys/fs/cgroup"));
    }
    return names;
  }

  fs::path root_;
};

TEST_F(MemoryFiles, OfTheOwnGroupAndOfThoseAboveIt) {
  write("proc/self/cgroup", "1:name=systemd:/other\n0::/a/b/c\n");
  for (const char* group : {"a/b", "a", "a/b/c/below", "other", "."}) {
    write(fs::path("sys/fs/cgroup") / group / "memory.max", "1000\n");
    write(fs::path("sys/fs/cgroup") / group / "memory.current", "10\n");
  }
  write("sys/fs/cgroup/a/b/c/memory.max", "max\n");
  EXPECT_EQ(names(), (std::vector<std::string>{"a/b/memory.max", "a/memory.max", "memory.max"}));
}

TEST_F(MemoryFiles, OfTheFirstVersionAndOfAMixture) {
  write("proc/self/cgroup", "4:memory:/a\n0::/\n");
  for (const char* group : {"memory/a", "memory"}) {
    write(fs::path("sys/fs/cgroup") / group / "memory.limit_in_bytes", "1000\n");
    write(fs::path("sys/fs/cgroup") / group / "memory.usage_in_bytes", "10\n");
  }
  EXPECT_EQ(names(), (std::vector<std::string>{"memory/a/memory.limit_in_bytes",
                                               "memory/memory.limit_in_bytes"}));
}

TEST_F(MemoryFiles, AreOptionalAll) {
  EXPECT_TRUE(memory_bounds(root_).empty());
}

// Not more than what the system really has, and of a limit what this process does not use.
TEST(MemoryBounds, OfThisProcess) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_DATA, &before), 0);
  rlimit lowered = before;
  lowered.rlim_cur = std::min<rlim_t>(before.rlim_max, uint64_t{1} << 50);
  ASSERT_EQ(setrlimit(RLIMIT_DATA, &lowered), 0);
  auto bounds = memory_bounds();
  setrlimit(RLIMIT_DATA, &before);
  ASSERT_FALSE(bounds.empty());
  EXPECT_EQ(bounds.front().name, "this machine's memory");
  EXPECT_GT(bounds.front().left, kMiB);
  EXPECT_EQ(bounds.back().name, "RLIMIT_DATA (ulimit -d)");
  EXPECT_EQ(bounds.back().limit, lowered.rlim_cur);
  EXPECT_LT(bounds.back().left, bounds.back().limit);
  for (const MemoryBound& bound : bounds) EXPECT_LE(bound.left, bound.limit) << bound.name;
}

}  // namespace
}  // namespace lb
