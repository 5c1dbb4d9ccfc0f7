// SPDX-License-Identifier: MIT
#include "common/file_broker.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "common/clock.h"

namespace lb {

namespace {

constexpr int kRequestsPerTurn = 16;

// Room for one descriptor, aligned as the kernel wants it.
union Control {
  cmsghdr head;
  std::array<char, CMSG_SPACE(sizeof(int))> bytes;
};

// The first descriptor that came with a message; others are closed.
Fd take_file(msghdr& message) {
  Fd first;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    for (size_t at = CMSG_LEN(0); at + sizeof(int) <= part->cmsg_len; at += sizeof(int)) {
      int number = -1;
      std::memcpy(&number, reinterpret_cast<char*>(part) + at, sizeof(number));
      Fd file(number);
      if (!first) first = std::move(file);
    }
  }
  return first;
}

}  // namespace

Result<FileChannel> open_file_channel() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail("cannot make a socket to ask for files: " + std::string(strerror(errno)));
  }
  return FileChannel{Fd(ends[0]), Fd(ends[1])};
}

bool FileBroker::serve() {
  std::array<char, kMaxFileMessage> buffer;
  for (int i = 0; i < kRequestsPerTurn; ++i) {
    ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    auto request = parse_file_request({buffer.data(), static_cast<size_t>(got)});
    if (request) answer(*request);
  }
  return true;
}

void FileBroker::answer(const FileRequest& request) {
  auto file = open_(request.path, request.use);
  if (!file) {
    send({.id = request.id, .problem = file.error().message}, -1);
  } else if (!send({.id = request.id}, file->get())) {
    send({.id = request.id, .problem = strerror(errno)}, -1);
  }
}

bool FileBroker::send(const FileAnswer& answer, int file) {
  std::string bytes = to_bytes(answer);
  iovec text{bytes.data(), bytes.size()};
  Control control{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  if (file >= 0) {
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(sizeof(file));
    std::memcpy(CMSG_DATA(&control.head), &file, sizeof(file));
  }
  return sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

Result<Fd> FileAsker::open(const std::string& path, FileUse use) {
  if (!socket_) return ended();
  if (is_owed_) (void)wait(std::chrono::milliseconds(0));
  if (is_owed_) return fail("the process that opens files outside the sandbox does not answer");
  auto bytes = to_bytes(FileRequest{.id = ++last_id_, .use = use, .path = path});
  if (!bytes) return fail("no path of a file");
  if (send(socket_.get(), bytes->data(), bytes->size(), MSG_NOSIGNAL) < 0) return ended();
  is_owed_ = true;
  return wait(patience_);
}

// For the answer to the last request.
Result<Fd> FileAsker::wait(std::chrono::milliseconds patience) {
  const int64_t until_ms = monotonic_ms() + patience.count();
  std::array<char, kMaxFileMessage> buffer;
  while (true) {
    Control control{};
    iovec text{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_iov = &text;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    ssize_t got = recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
    if (got == 0) return ended();
    if (got > 0) {
      Fd file = take_file(message);
      auto answer = parse_file_answer({buffer.data(), static_cast<size_t>(got)});
      if (answer && answer->id == last_id_) return take(*answer, std::move(file));
      continue;
    }
    if (errno != EAGAIN && errno != EINTR) return ended();
    int64_t left_ms = until_ms - monotonic_ms();
    if (left_ms <= 0) {
      return fail("the process that opens files outside the sandbox does not answer");
    }
    pollfd ready{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    poll(&ready, 1, static_cast<int>(left_ms));
  }
}

Result<Fd> FileAsker::take(FileAnswer& answer, Fd file) {
  is_owed_ = false;
  if (!answer.problem.empty()) return fail(std::move(answer.problem));
  if (!file) return fail("the file's descriptor was lost: none may be left");
  return file;
}

Unexpected<Error> FileAsker::ended() {
  socket_.reset();
  is_owed_ = false;
  return fail("the process that opens files outside the sandbox has ended: restart lb");
}

}  // namespace lb
