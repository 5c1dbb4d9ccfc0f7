// SPDX-License-Identifier: MIT
#include "app/listening_sockets.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "net/datagram_socket.h"
#include "net/socket.h"
#include "pool/stream_frontend.h"

namespace lb {

namespace {

constexpr std::string_view kDatagrams = "udp ";

bool kernel_has_ipv6() {
  return static_cast<bool>(Fd(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)));
}

// Whether sockets of ours stand in the way of having the address alone.
bool overlaps(const SocketGroups& groups, Protocol protocol, const Address& address) {
  return std::any_of(groups.begin(), groups.end(), [&](const auto& group) {
    std::string text = group.first;
    if (text.starts_with(kDatagrams) != (protocol == Protocol::udp)) return false;
    if (protocol == Protocol::udp) text.erase(0, kDatagrams.size());
    auto bound = Address::parse(text.starts_with(':') ? "[::]" + text : text);
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
  group->datagrams_ = config.protocol == Protocol::udp;
  if (listen.dual_stack && !dual_stack) group->address_ = Address::any_v4(listen.address.port());
  size_t count = listen.address.is_unix() ? 1 : workers;
  auto opened = group->open_all(config, dual_stack, count, alone);
  if (!opened) return fail(opened.error().message);
  return group;
}

// SO_REUSEPORT alone would let a second process in unnoticed. The first socket is bound without it,
// which of several processes that start together only one can do, and shares the port then.
Status<> SocketGroup::open_all(const ListenerConfig& config, bool dual_stack, size_t count,
                               bool alone) {
  for (size_t i = 0; i < count; ++i) {
    bool shares = i > 0 || !alone;
    auto fd = datagrams_
                  ? listen_datagrams(address_, {.dual_stack = dual_stack, .reuse_port = shares})
                  : listen_stream(address_, {.dual_stack = dual_stack,
                                             .reuse_port = shares,
                                             .backlog = config.backlog,
                                             .keepalive = keepalive_of(config.keepalive)});
    if (!fd) return fail(fd.error().message);
    if (!shares && address_.is_ip()) share_port(fd->get());
    sockets_.push_back(std::make_shared<const Fd>(std::move(*fd)));
  }
  return Done{};
}

bool SocketGroup::in_use() const {
  return std::any_of(sockets_.begin(), sockets_.end(),
                     [](const auto& socket) { return socket.use_count() > 1; });
}

std::string socket_key(Protocol protocol, const ListenAddress& address) {
  return protocol == Protocol::udp ? std::string(kDatagrams) + address.text : address.text;
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
      std::string key = socket_key(listener.protocol, address);
      if (auto same = open.find(key); same != open.end()) {
        groups.insert(*same);
        continue;
      }
      auto group = SocketGroup::open(address, listener, workers,
                                     !overlaps(open, listener.protocol, address.address));
      if (!group) return fail("listeners." + name + ".address: " + group.error().message);
      groups[key] = std::move(*group);
    }
  }
  return groups;
}

void adjust_sockets(const Config& config, const SocketGroups& groups) {
  for (const auto& [name, listener] : config.listeners) {
    if (listener.protocol == Protocol::udp) continue;
    for (const ListenAddress& address : listener.addresses) {
      groups.at(socket_key(listener.protocol, address))->adjust(listener);
    }
  }
}

SocketOwner::SocketOwner(const User* user) : user_(geteuid() == 0 ? user : nullptr) {
  if (user_ != nullptr && setegid(user_->gid) != 0) user_ = nullptr;
}

SocketOwner::~SocketOwner() {
  if (user_ == nullptr) return;
  [[maybe_unused]] int failed = setegid(getgid());
}

void SocketOwner::take_over(const SocketGroups& groups) const {
  if (user_ == nullptr) return;
  for (const auto& [key, group] : groups) {
    for (const auto& socket : group->sockets()) {
      [[maybe_unused]] int failed = fchown(socket->get(), user_->uid, user_->gid);
    }
  }
}

}  // namespace lb
