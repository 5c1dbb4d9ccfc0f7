// SPDX-License-Identifier: MIT
#include "common/user.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <vector>

namespace lb {

namespace {

Result<User> look_up(const std::string& name) {
  std::vector<char> room(16'384);
  passwd entry{};
  passwd* found = nullptr;
  int error = getpwnam_r(name.c_str(), &entry, room.data(), room.size(), &found);
  if (found != nullptr) return User{name, entry.pw_uid, entry.pw_gid};
  if (error == 0) return fail("this machine has no user '" + name + "'");
  return fail("cannot look up the user '" + name + "': " + strerror(error));
}

}  // namespace

Result<User> find_user(const std::string& name) {
  static std::map<std::string, User> known;
  if (auto same = known.find(name); same != known.end()) return same->second;
  auto user = look_up(name);
  if (user) known[name] = *user;
  return user;
}

Status<> become(const User& user) {
  uid_t real = 0;
  uid_t effective = 0;
  uid_t saved = 0;
  getresuid(&real, &effective, &saved);
  if (real == user.uid && effective == user.uid && saved == user.uid) return Done{};
  if (effective != 0) {
    return fail("only root can become the user '" + user.name + "'; start lb as root or as it");
  }
  if (initgroups(user.name.c_str(), user.gid) != 0 ||
      setresgid(user.gid, user.gid, user.gid) != 0 ||
      setresuid(user.uid, user.uid, user.uid) != 0) {
    return fail("cannot become the user '" + user.name + "': " + strerror(errno));
  }
  return Done{};
}

}  // namespace lb
