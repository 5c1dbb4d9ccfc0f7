// SPDX-License-Identifier: MIT
#include "net/blocking_call.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "common/clock.h"
#include "common/fd.h"
#include "net/socket.h"

namespace lb {

namespace {

constexpr size_t kBlock = 16 * 1024;

Error failure(int error) {
  std::array<char, 128> text;
  return Error{strerror_r(error, text.data(), text.size())};
}

bool wait(const Fd& fd, short what, int64_t deadline_ms) {
  int64_t left_ms = deadline_ms - monotonic_ms();
  pollfd waiting{.fd = fd.get(), .events = what, .revents = 0};
  return left_ms > 0 && poll(&waiting, 1, static_cast<int>(left_ms)) == 1;
}

// The error is an errno.
Result<Fd, int> connect(const std::vector<Address>& addresses, int64_t deadline_ms) {
  int error = EADDRNOTAVAIL;
  for (const Address& address : addresses) {
    auto fd = connect_stream(address, nullptr);
    if (!fd) {
      error = fd.error();
      continue;
    }
    if (!wait(*fd, POLLOUT, deadline_ms)) return Unexpected{ETIMEDOUT};
    error = address.is_unix() ? 0 : connect_state(fd->get());
    if (error == 0) return std::move(*fd);
  }
  return Unexpected{error};
}

// 0 or an errno.
int send_all(const Fd& fd, std::string_view bytes, int64_t deadline_ms) {
  while (!bytes.empty()) {
    ssize_t sent = send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return 0;  // it may have answered before it had read everything
    } else if (errno != EAGAIN && errno != EINTR) {
      return errno;
    } else if (!wait(fd, POLLOUT, deadline_ms)) {
      return ETIMEDOUT;
    }
  }
  return 0;
}

}  // namespace

Result<std::vector<Address>> look_up(const std::string& host, uint16_t port) {
  if (auto address = Address::parse_ip(host, port)) return std::vector<Address>{*address};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) return fail(std::string("cannot resolve the name: ") + gai_strerror(error));
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    addresses.push_back(Address::from_sockaddr(one->ai_addr, one->ai_addrlen));
  }
  return addresses;
}

Result<std::string> call(const std::vector<Address>& addresses, std::string_view request,
                         const std::function<bool(std::string_view)>& is_whole, size_t most,
                         int64_t deadline_ms) {
  auto fd = connect(addresses, deadline_ms);
  if (!fd) return Unexpected{failure(fd.error())};
  if (int error = send_all(*fd, request, deadline_ms); error != 0) {
    return Unexpected{failure(error)};
  }
  std::string answer;
  std::array<char, kBlock> block;
  while (answer.size() <= most && !is_whole(answer)) {
    ssize_t got = recv(fd->get(), block.data(), block.size(), 0);
    if (got == 0) break;
    if (got > 0) {
      answer.append(block.data(), static_cast<size_t>(got));
    } else if (errno != EAGAIN && errno != EINTR) {
      if (answer.empty()) return Unexpected{failure(errno)};
      break;
    } else if (!wait(*fd, POLLIN, deadline_ms)) {
      return Unexpected{failure(ETIMEDOUT)};
    }
  }
  return answer;
}

}  // namespace lb
