// SPDX-License-Identifier: MIT
#include "app/service_notification.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "common/clock.h"
#include "common/fd.h"

namespace lb {

void notify_service(std::string_view state) {
  const char* path = getenv("NOTIFY_SOCKET");
  if (!path) return;
  std::string_view name(path);
  sockaddr_un address{};
  if (name.empty() || name.size() >= sizeof(address.sun_path)) return;
  address.sun_family = AF_UNIX;
  std::copy(name.begin(), name.end(), address.sun_path);
  if (name.front() == '@') address.sun_path[0] = '\0';  // abstract namespace, unix(7)
  auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return;
  sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL,
         reinterpret_cast<const sockaddr*>(&address), length);
}

void notify_reloading() {
  notify_service("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(monotonic_us()));
}

}  // namespace lb
