// SPDX-License-Identifier: MIT
#include "net/stream.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace lb {

namespace {

constexpr size_t kRecord = 16 * 1024;
// Up to here copying pieces together costs less than having the kernel take several.
constexpr size_t kFew = 2 * 1024;

// The bytes of several pieces from `offset` on, at most a record of them: where they lie when one
// piece holds them, else a copy in `joined`.
std::string_view next_record(std::span<const iovec> pieces, size_t offset,
                             std::array<char, kRecord>& joined) {
  size_t size = 0;
  for (const iovec& piece : pieces) {
    if (offset >= piece.iov_len) {
      offset -= piece.iov_len;
      continue;
    }
    const char* from = static_cast<const char*>(piece.iov_base) + offset;
    size_t count = std::min(piece.iov_len - offset, kRecord - size);
    if (count == kRecord) return {from, count};
    std::memcpy(joined.data() + size, from, count);
    size += count;
    if (size == kRecord) break;
    offset = 0;
  }
  return {joined.data(), size};
}

size_t total(std::span<const iovec> pieces) {
  size_t size = 0;
  for (const iovec& piece : pieces) size += piece.iov_len;
  return size;
}

}  // namespace

Transfer Stream::writev(std::span<const iovec> pieces) {
  std::array<char, kRecord> joined;
  const size_t all = total(pieces);
  if (!tls_) {
    if (all <= kFew) return write(next_record(pieces, 0, joined));
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(pieces.data());
    message.msg_iovlen = pieces.size();
    ssize_t sent = sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    if (sent >= 0) return {Transfer::Outcome::done, static_cast<size_t>(sent)};
    return blocked(Transfer::Outcome::wants_write);
  }
  size_t written = 0;
  while (written < all) {
    std::string_view record = next_record(pieces, written, joined);
    Transfer transfer = tls_->write(record.data(), record.size());
    if (transfer.outcome != Transfer::Outcome::done) {
      return written > 0 ? Transfer{Transfer::Outcome::done, written} : transfer;
    }
    written += transfer.bytes;
  }
  return {Transfer::Outcome::done, written};
}

Transfer Stream::shutdown_write() {
  if (tls_) {
    Transfer transfer = tls_->shutdown_write();
    if (transfer.outcome != Transfer::Outcome::done) return transfer;
  }
  // Those that wait for the end of the connection rather than for close_notify learn of it too.
  if (shutdown(fd_.get(), SHUT_WR) != 0) return blocked(Transfer::Outcome::wants_write);
  return {Transfer::Outcome::done};
}

std::string Stream::reason() const {
  return tls_ ? tls_->reason() : strerror(error_);
}

}  // namespace lb
