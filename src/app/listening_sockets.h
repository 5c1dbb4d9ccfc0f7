// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/fd.h"
#include "common/result.h"
#include "common/user.h"
#include "config/config.h"

namespace lb {

// The listening sockets of one address: one per worker in a SO_REUSEPORT group, or a single one of
// a unix path. The group is never reordered or changed while any listener wants its address, so
// that no queued connection is lost by a reload, and a client's datagrams stay with one worker.
class SocketGroup {
 public:
  // `alone`: no other socket may have the address, not even one of ours.
  static Result<std::shared_ptr<SocketGroup>> open(const ListenAddress& address,
                                                   const ListenerConfig& config, size_t workers,
                                                   bool alone);
  ~SocketGroup();
  SocketGroup(const SocketGroup&) = delete;
  SocketGroup& operator=(const SocketGroup&) = delete;

  // Settings that a listening socket of connections takes while it listens: backlog and keepalive.
  void adjust(const ListenerConfig& config);
  const std::vector<std::shared_ptr<const Fd>>& sockets() const { return sockets_; }
  bool takes_datagrams() const { return datagrams_; }
  // Some worker still has one of them.
  bool in_use() const;

 private:
  SocketGroup() = default;
  Status<> open_all(const ListenerConfig& config, bool dual_stack, size_t count, bool alone);

  std::vector<std::shared_ptr<const Fd>> sockets_;
  Address address_;
  bool datagrams_ = false;
};

// The groups that a configuration needs, by transport and address as written: see socket_key().
using SocketGroups = std::map<std::string, std::shared_ptr<SocketGroup>>;

std::string socket_key(Protocol protocol, const ListenAddress& address);

// Opens what `config` needs and `open` lacks. On failure everything stays as it was.
Result<SocketGroups> open_sockets(const Config& config, const SocketGroups& open, size_t workers);

// Brings backlog and keepalive of all sockets to what `config` says.
void adjust_sockets(const Config& config, const SocketGroups& groups);

// While it lives, unix sockets that root opens are of the group of `user`, which root will become;
// null: of its own. Main thread, alone.
class SocketOwner {
 public:
  explicit SocketOwner(const User* user);
  ~SocketOwner();
  SocketOwner(const SocketOwner&) = delete;
  SocketOwner& operator=(const SocketOwner&) = delete;

  // The sockets become the user's: only sockets of the same owner may share a port, and a reload
  // opens further ones as the user.
  void take_over(const SocketGroups& groups) const;

 private:
  const User* user_;  // null, too, where this process is not root
};

}  // namespace lb
