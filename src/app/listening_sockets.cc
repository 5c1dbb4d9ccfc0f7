// SPDX-License-Identifier: MIT
#include "app/listening_sockets.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "net/socket.h"
#include "pool/stream_frontend.h"

namespace lb {

namespace {

bool kernel_has_ipv6() {
  return static_cast<bool>(Fd(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)));
}

// Whether sockets of ours stand in the way of having the address alone.
bool overlaps(const SocketGroups& groups, const Address& address) {
  return std::any_of(groups.begin(), groups.end(), [&](const auto& group) {
    auto bound = Address::parse(group.first.starts_with(':') ? "[::]" + group.first : group.first);
    if (!bound || !bound->is_ip() || bound->port() != address.port()) return false;
    return bound->is_wildcard() || address.is_wildcard() || *bound == address;
  });
}

}  // namespace

Result<std::shared_ptr<SocketGroup>> SocketGroup::open(const ListenAddress& listen,
                                                       const ListenerConfig& config, size_t workers,
                                                       bool alone) {
  std::shared_ptr<SocketGroup> group(new SocketGroup());
  bool dual_stack = listen.dual_stack && kernel_has_ipv6();
  group->address_ = listen.address;
  if (listen.dual_stack && !dual_stack) group->address_ = Address::any_v4(listen.address.port());
  // SO_REUSEPORT alone would let a second process in unnoticed. The first socket listens without
  // it, which of several processes that start together only one can do, and shares the port then.
  ListenOptions options{.dual_stack = dual_stack,
                        .reuse_port = !alone,
                        .backlog = config.backlog,
                        .keepalive = keepalive_of(config.keepalive)};
  size_t count = listen.address.is_unix() ? 1 : workers;
  for (size_t i = 0; i < count; ++i) {
    auto fd = listen_stream(group->address_, options);
    if (!fd) return fail(fd.error().message);
    if (i == 0 && alone && listen.address.is_ip()) share_port(fd->get());
    options.reuse_port = true;
    group->sockets_.push_back(std::make_shared<const Fd>(std::move(*fd)));
  }
  return group;
}

SocketGroup::~SocketGroup() {
  if (address_.is_unix() && !sockets_.empty()) unlink(std::string(address_.unix_path()).c_str());
}

void SocketGroup::adjust(const ListenerConfig& config) {
  for (const auto& socket : sockets_) {
    listen(socket->get(), static_cast<int>(config.backlog));
    auto keepalive = keepalive_of(config.keepalive);
    if (!address_.is_ip()) continue;
    if (keepalive) {
      set_keepalive(socket->get(), *keepalive);
    } else {
      clear_keepalive(socket->get());
    }
  }
}

Result<SocketGroups> open_sockets(const Config& config, const SocketGroups& open, size_t workers) {
  SocketGroups groups;
  for (const auto& [name, listener] : config.listeners) {
    for (const ListenAddress& address : listener.addresses) {
      if (auto same = open.find(address.text); same != open.end()) {
        groups.insert(*same);
        continue;
      }
      auto group = SocketGroup::open(address, listener, workers, !overlaps(open, address.address));
      if (!group) return fail("listeners." + name + ".address: " + group.error().message);
      groups[address.text] = std::move(*group);
    }
  }
  return groups;
}

void adjust_sockets(const Config& config, const SocketGroups& groups) {
  for (const auto& [name, listener] : config.listeners) {
    for (const ListenAddress& address : listener.addresses) {
      groups.at(address.text)->adjust(listener);
    }
  }
}

}  // namespace lb
