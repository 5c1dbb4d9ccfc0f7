// SPDX-License-Identifier: MIT
#include "app/service_notification.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "common/clock.h"
#include "common/fd.h"

namespace lb {
namespace {

// The service manager's side: a datagram socket at `name`, which begins with "@" where it has no
// file.
class ServiceManager {
 public:
  explicit ServiceManager(const std::string& name)
      : name_(name), fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ~ServiceManager() {
    unsetenv("NOTIFY_SOCKET");
    if (name_[0] != '@') unlink(name_.c_str());
  }
  // "" when there is none.
  std::string next_message() {
    char buffer[256];
    ssize_t got = recv(fd_.get(), buffer, sizeof(buffer), 0);
    return got > 0 ? std::string(buffer, static_cast<size_t>(got)) : "";
  }

 private:
  std::string name_;
  Fd fd_;
};

std::string unique(const std::string& prefix) {
  return prefix + "lb-notify-test-" + std::to_string(getpid());
}

TEST(ServiceNotification, ReachesAFileAndAnAbstractSocket) {
  const std::string longest = unique("/tmp/");
  for (const std::string& name :
       {unique("/tmp/"), unique("@"), longest + std::string(107 - longest.size(), 'x')}) {
    ServiceManager manager(name);
    notify_service("READY=1");
    notify_service("STOPPING=1");
    EXPECT_EQ(manager.next_message(), "READY=1") << name;
    EXPECT_EQ(manager.next_message(), "STOPPING=1") << name;
    EXPECT_EQ(manager.next_message(), "") << name;
  }
}

TEST(ServiceNotification, AReloadHasItsTime) {
  ServiceManager manager(unique("@"));
  int64_t before_us = monotonic_us();
  notify_reloading();
  std::string message = manager.next_message();
  const std::string begin = "RELOADING=1\nMONOTONIC_USEC=";
  ASSERT_EQ(message.substr(0, begin.size()), begin);
  int64_t stamp_us = std::stoll(message.substr(begin.size()));
  EXPECT_GE(stamp_us, before_us);
  EXPECT_LE(stamp_us, monotonic_us());
}

TEST(ServiceNotification, WithoutAServiceManagerNothingHappens) {
  unsetenv("NOTIFY_SOCKET");
  notify_service("READY=1");
  for (const std::string& name :
       {std::string(), std::string("/no/such/socket"), std::string(500, 'x'), std::string("@")}) {
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
    notify_service("READY=1");
  }
  unsetenv("NOTIFY_SOCKET");
}

}  // namespace
}  // namespace lb
