// SPDX-License-Identifier: MIT
#include "app/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/fd.h"
#include "common/log.h"

namespace lb {

namespace {

// Rights that came after the first version; the kernel's headers of Debian 12 do not name them all.
constexpr uint64_t kRefer = 1ULL << 13;        // version 2: rename from one directory to another
constexpr uint64_t kTruncate = 1ULL << 14;     // version 3
constexpr uint64_t kIoctlDevice = 1ULL << 15;  // version 5
constexpr uint64_t kFirstVersion = (1ULL << 13) - 1;

constexpr uint64_t kOfFiles = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
                              LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate | kIoctlDevice;

// All that this version can refuse: what no rule grants is refused.
uint64_t handled(int version) {
  uint64_t rights = kFirstVersion;
  if (version >= 2) rights |= kRefer;
  if (version >= 3) rights |= kTruncate;
  if (version >= 5) rights |= kIoctlDevice;
  return rights;
}

uint64_t kernel_rights(uint8_t rights) {
  uint64_t bits = 0;
  if ((rights & kReadFiles) != 0) bits |= LANDLOCK_ACCESS_FS_READ_FILE;
  if ((rights & kWriteFiles) != 0) bits |= LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;
  if ((rights & kMakeFiles) != 0) {
    bits |=
        LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
  }
  if ((rights & kMakeSockets) != 0) {
    bits |= LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE;
  }
  return bits;
}

Status<> add_rule(int ruleset, const FileRule& rule, uint64_t most) {
  Fd place(open(rule.path.c_str(), O_PATH | O_CLOEXEC));
  if (!place) {
    if (errno == ENOENT || errno == ENOTDIR || errno == EACCES) return Done{};
    return fail(fmt::format("cannot open {}: {}", rule.path.native(), strerror(errno)));
  }
  struct stat info {};
  if (fstat(place.get(), &info) != 0) return Done{};
  landlock_path_beneath_attr below{};
  below.allowed_access = kernel_rights(rule.rights) & most;
  if (!S_ISDIR(info.st_mode)) below.allowed_access &= kOfFiles;
  below.parent_fd = place.get();
  if (below.allowed_access == 0) return Done{};
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &below, 0) == 0) {
    return Done{};
  }
  // A pipe, behind /dev/stdout, has no place among the files and is not limited.
  if (errno == EBADFD) return Done{};
  return fail(
      fmt::format("Landlock refuses a rule for {}: {}", rule.path.native(), strerror(errno)));
}

}  // namespace

int landlock_version() {
  long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version > 0 ? static_cast<int>(version) : 0;
}

Status<> restrict_files(const std::vector<FileRule>& rules) {
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = handled(landlock_version());
  Fd ruleset(
      static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0)));
  if (!ruleset) return fail(fmt::format("Landlock makes no ruleset: {}", strerror(errno)));
  for (const FileRule& rule : rules) {
    auto added = add_rule(ruleset.get(), rule, attributes.handled_access_fs);
    if (!added) return added;
  }
  if (syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return fail(fmt::format("Landlock does not begin: {}", strerror(errno)));
  }
  return Done{};
}

}  // namespace lb
