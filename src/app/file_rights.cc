// SPDX-License-Identifier: MIT
#include "app/file_rights.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "app/capabilities.h"
#include "app/list_follower.h"
#include "common/log.h"
#include "config/named_files.h"

namespace lb {

namespace {

class Files {
 public:
  explicit Files(std::filesystem::path config_file) : config_file_(std::move(config_file)) {}

  Result<Fd> open(const std::string& path, FileUse use) {
    CapabilitiesAside aside;
    if (!aside) return fail("capabilities cannot be laid aside");
    if (!is_named(path, use)) {
      return fail(fmt::format("{} does not name it as a file to {}", config_file_.native(),
                              use == FileUse::read ? "read" : "write to"));
    }
    Fd file(::open(path.c_str(), open_flags(use) | O_NONBLOCK | O_NOCTTY, kNewFileMode));
    if (!file) return fail(strerror(errno));
    struct stat info {};
    if (use == FileUse::read && (fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode))) {
      return fail("is no regular file");
    }
    return file;
  }

 private:
  bool is_named(const std::string& path, FileUse use) {
    auto is_known = [&] { return known_.contains({path, use}); };
    return is_known() || (learn() && is_known());
  }

  // Whether the configuration file was read again.
  bool learn() {
    auto now = file_stamp(config_file_);
    if (!now || now == seen_) return false;
    seen_ = now;
    auto named = config::read_named_files(config_file_);
    if (!named) return false;
    for (NamedFile& file : *named) known_.emplace(std::move(file.path), file.use);
    return true;
  }

  const std::filesystem::path config_file_;
  std::optional<FileStamp> seen_;
  std::set<std::pair<std::string, FileUse>> known_;
};

}  // namespace

FileOpener files_named_by(const std::filesystem::path& config_file) {
  auto files = std::make_shared<Files>(config_file);
  return [files](const std::string& path, FileUse use) { return files->open(path, use); };
}

}  // namespace lb
