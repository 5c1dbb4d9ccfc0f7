// SPDX-License-Identifier: MIT
#include "app/memory_bounds.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#include "app/control_groups.h"

namespace lb {

namespace {

namespace fs = std::filesystem;

// What v1 writes for no limit is a little below 2^63; RLIM_INFINITY is above.
constexpr uint64_t kUnlimited = uint64_t{1} << 60;

struct GroupVersion {
  const char* controller;
  const char* limit;
  const char* usage;
};
constexpr GroupVersion kGroupVersions[] = {
    {"", "memory.max", "memory.current"},
    {"memory", "memory.limit_in_bytes", "memory.usage_in_bytes"},
};

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The number that a text begins with, after blanks; "max" is none.
std::optional<uint64_t> number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.begin(), text.end(), value);
  if (error != std::errc()) return {};
  return value;
}

// None where there is none.
std::optional<uint64_t> limit_of(std::string_view text) {
  auto limit = number(text);
  return limit && *limit < kUnlimited ? limit : std::nullopt;
}

// Of the line that begins with the key.
std::optional<uint64_t> number_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.starts_with(key)) return number(line.substr(key.size()));
  }
  return {};
}

void add(std::vector<MemoryBound>& bounds, std::optional<MemoryBound> bound) {
  if (bound) bounds.push_back(std::move(*bound));
}

void add_groups(std::vector<MemoryBound>& bounds, const GroupVersion& version,
                const fs::path& root) {
  for (const fs::path& group : control_groups(version.controller, root)) {
    GroupFiles files{.limit = text_of(group / version.limit), .usage = "", .stat = ""};
    if (!limit_of(files.limit)) continue;  // the others are dear to read
    files.usage = text_of(group / version.usage);
    files.stat = text_of(group / "memory.stat");
    add(bounds, bound_of_group((group / version.limit).native(), files));
  }
}

// proc(5): the size of the process and its data, in pages, are the first and the sixth number.
void add_process(std::vector<MemoryBound>& bounds, const fs::path& root) {
  std::istringstream statm(text_of(root / "proc/self/statm"));
  std::vector<uint64_t> pages{std::istream_iterator<uint64_t>(statm), {}};
  if (pages.size() < 6) return;
  auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0) {
    add(bounds, bound_of_process("RLIMIT_AS (ulimit -v)", limit.rlim_cur, pages[0] * page));
  }
  if (getrlimit(RLIMIT_DATA, &limit) == 0) {
    add(bounds, bound_of_process("RLIMIT_DATA (ulimit -d)", limit.rlim_cur, pages[5] * page));
  }
}

}  // namespace

std::optional<MemoryBound> bound_of_machine(std::string_view meminfo) {
  auto total = number_of(meminfo, "MemTotal:");
  auto available = number_of(meminfo, "MemAvailable:");
  if (!total || !available) return {};
  return MemoryBound{"this machine's memory", *total * 1024, *available * 1024};
}

std::optional<MemoryBound> bound_of_group(const std::string& name, const GroupFiles& files) {
  auto limit = limit_of(files.limit);
  auto usage = number(files.usage);
  if (!limit || !usage) return {};
  uint64_t cached = 0;
  for (const char* key : {"inactive_file ", "active_file "}) {
    auto below = number_of(files.stat, "total_" + std::string(key));
    cached += below ? *below : number_of(files.stat, key).value_or(0);
  }
  uint64_t used = *usage - std::min(*usage, cached);
  return MemoryBound{name, *limit, *limit - std::min(*limit, used)};
}

std::optional<MemoryBound> bound_of_process(const std::string& name, uint64_t limit,
                                            uint64_t used) {
  if (limit >= kUnlimited) return {};
  return MemoryBound{name, limit, limit - std::min(limit, used)};
}

std::vector<MemoryBound> memory_bounds(const fs::path& root) {
  std::vector<MemoryBound> bounds;
  add(bounds, bound_of_machine(text_of(root / "proc/meminfo")));
  for (const GroupVersion& version : kGroupVersions) add_groups(bounds, version, root);
  add_process(bounds, root);
  return bounds;
}

}  // namespace lb
