// SPDX-License-Identifier: MIT
#include "app/state_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/fd.h"
#include "common/log.h"
#include "common/named_thread.h"
#include "config/file_text.h"

namespace lb {

namespace {

// A configuration of the largest size, written as JSON text inside JSON, and what lies over it.
constexpr size_t kMostBytes = 16'777'216;

Status<> failed(const std::string& what, const std::string& path) {
  return fail(fmt::format("cannot {} {}: {}", what, path, std::generic_category().message(errno)));
}

Status<> write_all(int fd, const std::string& path, std::string_view text) {
  while (!text.empty()) {
    ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return failed("write", path);
    text.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(fd) == 0 ? Status<>(Done{}) : failed("write", path);
}

}  // namespace

Result<std::optional<std::string>> StateFile::read(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) return std::optional<std::string>();
  auto bytes = config::read_file(path, kMostBytes);
  if (!bytes) return fail(fmt::format("cannot read {}: {}", path, bytes.error().message));
  if (bytes->size() > kMostBytes) return fail(path + " is longer than 16 MiB");
  return std::optional<std::string>(std::move(*bytes));
}

Status<> StateFile::write(const std::string& path, const std::string& text) {
  std::string fresh = path + ".new";
  {
    // It may hold secrets of a configuration.
    Fd file(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return failed("write", fresh);
    if (auto written = write_all(file.get(), fresh, text); !written) return written;
  }
  if (rename(fresh.c_str(), path.c_str()) != 0) return failed("replace", path);
  // The name is on the disk once its directory is.
  std::string directory = std::filesystem::path(path).parent_path();
  Fd parent(open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent || fsync(parent.get()) != 0) return failed("write", directory);
  return Done{};
}

StateFile::StateFile(std::string path, Mailbox& control)
    : path_(std::move(path)),
      control_(control),
      thread_(start_thread("lb-state", [this] { run(); })) {}

StateFile::~StateFile() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void StateFile::save(std::string text, Callback callback) {
  {
    std::lock_guard lock(mutex_);
    next_ = std::move(text);
    waiting_.push_back(std::move(callback));
  }
  changed_.notify_one();
}

void StateFile::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return next_ || ending_; });
    if (!next_) return;
    std::string text = std::move(*std::exchange(next_, std::nullopt));
    auto waiting = std::exchange(waiting_, {});
    lock.unlock();
    Status<> saved = write(path_, text);
    control_.post([waiting = std::move(waiting), saved = std::move(saved)] {
      for (const Callback& callback : waiting) callback(saved);
    });
    lock.lock();
  }
}

}  // namespace lb
