// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/list_follower.h"
#include "common/fd.h"
#include "common/result.h"

namespace lb {

// Copies of /etc/hosts and /etc/resolv.conf for a process in the sandbox. Landlock knows files, not
// names: another file in the place of one of the two would be closed to it. The copies have no name
// at all and are kept up to date by a process outside, the one that runs scripts. Made before that
// is forked; each process uses its own functions of it, in one thread.
class NameFiles {
 public:
  // Of the files that are meant by default, which tests replace.
  static Result<NameFiles> make(const std::string& hosts = "/etc/hosts",
                                const std::string& resolv_conf = "/etc/resolv.conf");

  // For the process in the sandbox: its resolvers read the copies from here on, and as long as it
  // lives, whatever becomes of this.
  void use() const;

  // For the one outside: copies what has changed.
  void follow();
  // What it needs for that.
  std::vector<int> descriptors() const;

 private:
  struct Copy {
    std::string original;
    std::shared_ptr<const Fd> file;
    std::optional<FileStamp> seen;
  };
  static Result<Copy> copy_of(const std::string& original);
  static void bring_up_to_date(Copy& copy);
  static std::string path_of(const Copy& copy);

  NameFiles(Copy hosts, Copy resolv_conf);

  Copy hosts_;
  Copy resolv_conf_;
};

}  // namespace lb
