// SPDX-License-Identifier: MIT
#include "common/line_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "common/clock.h"
#include "common/log.h"
#include "common/named_file.h"
#include "common/named_thread.h"

namespace lb {

namespace {

// Lines gather for so long before they are written together.
constexpr int kPause_ms = 100;
constexpr int kPauseAfterError_ms = 1'000;
constexpr int64_t kComplaintPause_ms = 10'000;
constexpr int64_t kLastWords_ms = 1'000;
// Half a ring: then the thread is called at once.
constexpr uint64_t kPlenty = LineFile::kRoom / 2;

Result<Fd> open_output(const std::string& output) {
  if (output == "stdout") {
    Fd file(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
    if (!file) return fail(output + ": " + strerror(errno));
    return file;
  }
  auto file = open_named_file(output, FileUse::append);
  if (!file) return fail(output + ": " + file.error().message);
  return file;
}

}  // namespace

Result<std::unique_ptr<LineFile>> LineFile::open(const std::string& output, size_t writers) {
  auto file = open_output(output);
  if (!file) return fail(file.error().message);
  std::unique_ptr<LineFile> made(new LineFile(output, std::move(*file), writers));
  if (!made->wakeup_) return fail(output + ": " + strerror(errno));
  return made;
}

LineFile::LineFile(std::string output, Fd file, size_t writers)
    : output_(std::move(output)), lanes_(writers), wakeup_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!wakeup_) return;  // without it no line would ever be written
  use(std::move(file));
  thread_ = start_thread("lb-access-log", [this] { run(); });
}

void LineFile::close() {
  if (!thread_.joinable()) return;
  stop_until_ms_ = monotonic_ms() + kLastWords_ms;
  stopping_ = true;
  wake();
  thread_.join();
}

void LineFile::write(size_t writer, std::string_view line) {
  Lane& lane = lanes_[writer];
  uint64_t head = lane.head.load(std::memory_order_relaxed);
  if (head + line.size() - lane.tail_seen > kRoom) {
    lane.tail_seen = lane.tail.load(std::memory_order_acquire);
    if (head + line.size() - lane.tail_seen > kRoom) {
      lane.lost.fetch_add(1, std::memory_order_relaxed);
      return;
    }
  }
  if (!lane.bytes) lane.bytes = std::make_unique_for_overwrite<char[]>(kRoom);
  size_t at = head % kRoom;
  size_t first = std::min(line.size(), kRoom - at);
  std::memcpy(lane.bytes.get() + at, line.data(), first);
  std::memcpy(lane.bytes.get(), line.data() + first, line.size() - first);
  uint64_t next = head + line.size();
  // Sequentially consistent, as are run()'s store to asleep_ and look at the heads: one of the two
  // threads sees what the other did.
  lane.head.store(next);
  if (asleep_.load() || next / kPlenty != head / kPlenty) wake();
}

void LineFile::wake() {
  asleep_.store(false, std::memory_order_relaxed);
  uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(wakeup_.get(), &one, sizeof(one));
}

Status<> LineFile::reopen() {
  if (output_ == "stdout") return Done{};
  auto file = open_output(output_);
  if (!file) return fail(file.error().message);
  {
    std::lock_guard lock(mutex_);
    next_file_ = std::move(*file);
  }
  wake();
  return Done{};
}

uint64_t LineFile::lost() const {
  uint64_t sum = 0;
  for (const Lane& lane : lanes_) sum += lane.lost.load(std::memory_order_relaxed);
  return sum;
}

void LineFile::run() {
  while (!stopping_) {
    take_new_file();
    if (drain()) {
      wait(kPause_ms);
      continue;
    }
    asleep_.store(true);
    if (!has_lines()) wait(-1);
    asleep_.store(false);
  }
  drain();
  count_rest_as_lost();
}

bool LineFile::has_lines() const {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) {
    return lane.head.load() != lane.tail.load(std::memory_order_relaxed);
  });
}

// Whether there was anything.
bool LineFile::drain() {
  bool any = false;
  for (Lane& lane : lanes_) {
    if (lane.head.load(std::memory_order_acquire) == lane.tail.load(std::memory_order_relaxed)) {
      continue;
    }
    any = true;
    drain(lane);
  }
  return any;
}

// Heads stand between lines, so that no other lane's come in between.
void LineFile::drain(Lane& lane) {
  const uint64_t goal = lane.head.load(std::memory_order_acquire);
  uint64_t tail = lane.tail.load(std::memory_order_relaxed);
  while (tail < goal) {
    if (stopping_ && monotonic_ms() >= stop_until_ms_) return;
    size_t at = tail % kRoom;
    std::string_view piece(lane.bytes.get() + at, std::min<uint64_t>(goal - tail, kRoom - at));
    bool was_mid_line = mid_line_;
    if (take_new_file() && was_mid_line) {
      // The old file has its first half.
      size_t end = piece.find('\n');
      mid_line_ = end == piece.npos;
      tail += mid_line_ ? piece.size() : end + 1;
      if (!mid_line_) lane.lost.fetch_add(1, std::memory_order_relaxed);
    } else {
      size_t written = write_some(piece);
      if (written > 0) mid_line_ = piece[written - 1] != '\n';
      tail += written;
    }
    lane.tail.store(tail, std::memory_order_release);
  }
}

// How much of it was written; nothing, after a while, where that is not possible.
size_t LineFile::write_some(std::string_view piece) {
  if (may_stall_) {
    pollfd ready{file_.get(), POLLOUT, 0};
    if (poll(&ready, 1, kPause_ms) <= 0) return 0;
    // What a pipe that is ready takes without blocking, whoever else may hold it.
    piece = piece.substr(0, PIPE_BUF);
  }
  ssize_t written = ::write(file_.get(), piece.data(), piece.size());
  if (written > 0) return static_cast<size_t>(written);
  if (written < 0 && (errno == EINTR || errno == EAGAIN)) return 0;
  complain(written < 0 ? errno : ENOSPC);
  wait(kPauseAfterError_ms);
  return 0;
}

bool LineFile::take_new_file() {
  Fd file;
  {
    std::lock_guard lock(mutex_);
    file = std::move(next_file_);
  }
  if (!file) return false;
  use(std::move(file));
  return true;
}

void LineFile::use(Fd file) {
  file_ = std::move(file);
  struct stat info {};
  may_stall_ = fstat(file_.get(), &info) != 0 || !S_ISREG(info.st_mode);
}

void LineFile::complain(int error) {
  int64_t now_ms = monotonic_ms();
  if (complained_ms_ != 0 && now_ms < complained_ms_ + kComplaintPause_ms) return;
  complained_ms_ = now_ms;
  log::error("access log {}: cannot write: {}", output_, strerror(error));
}

void LineFile::wait(int timeout_ms) {
  pollfd ready{wakeup_.get(), POLLIN, 0};
  if (poll(&ready, 1, timeout_ms) <= 0) return;
  uint64_t count;
  [[maybe_unused]] ssize_t got = read(wakeup_.get(), &count, sizeof(count));
}

void LineFile::count_rest_as_lost() {
  for (Lane& lane : lanes_) {
    uint64_t head = lane.head.load(std::memory_order_acquire);
    for (uint64_t at = lane.tail.load(std::memory_order_relaxed); at < head; ++at) {
      if (lane.bytes[at % kRoom] == '\n') lane.lost.fetch_add(1, std::memory_order_relaxed);
    }
  }
}

}  // namespace lb
