// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <string>

#include "common/result.h"

namespace lb {

// A user of this machine, with the group of its login.
struct User {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

// The user of this name. Who was found is remembered: a process that gave up the right to read the
// list of users still knows it. Control thread.
Result<User> find_user(const std::string& name);

// The whole process becomes this user, with its groups and without any capability, for good. Needs
// root, unless the process is that user already. Capabilities that PR_SET_KEEPCAPS holds back stay
// permitted. Before other threads begin.
Status<> become(const User& user);

}  // namespace lb
