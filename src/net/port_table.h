// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "common/address.h"

namespace lb {

// The local ports a process may take for its datagram sockets: the kernel's ephemeral range
// (net.ipv4.ip_local_port_range), but for those at its end that stay free for everything else on
// this machine, and for those that an operator reserved (net.ipv4.ip_local_reserved_ports).
struct PortRange {
  static constexpr uint32_t kLeftForOthers = 1'024;

  uint16_t first = 32'768;
  uint32_t count = 28'232 - kLeftForOthers;
  std::vector<uint16_t> reserved = {};  // of these

  static PortRange of_this_machine();
  // "8080,40000-40009" as the kernel writes it; what lies outside of the range is passed over.
  void reserve(std::string_view ports);
  size_t usable() const { return count - reserved.size(); }
};

// The local ports taken towards one server, by source address. A port is given once per source, and
// an unspecified source, which the kernel fills in, shares none with the others: then a server's
// datagrams tell our sockets apart. Any thread; a short lock.
class ServerPorts {
 public:
  struct Port {
    uint16_t number = 0;  // 0 = none
    uint16_t source = 0;  // which of the source addresses it was taken for
  };

  explicit ServerPorts(PortRange range) : range_(std::move(range)) {}

  // A free port for sockets bound to `source` (its port is ignored), searched from a random place
  // on, so that ports are hard to guess. None when all are taken.
  Port take(const Address& source, uint64_t random);
  void give_back(Port port);

 private:
  struct BySource {
    Address source;
    std::vector<uint64_t> taken;  // a bit per port of the range; the reserved ones are set
  };

  size_t index_of(const Address& source);
  uint64_t taken_word(const BySource& own, size_t word) const;

  const PortRange range_;
  std::mutex mutex_;
  std::vector<BySource> sources_;
};

// Every port that this process took towards any server, whatever pool or listener wants it: two
// sockets of the same two addresses could not be told apart. One per process; any thread.
class PortTable {
 public:
  explicit PortTable(PortRange range = PortRange::of_this_machine()) : range_(std::move(range)) {}

  // The ports towards this server; they are forgotten when nobody holds them any more.
  std::shared_ptr<ServerPorts> towards(const Address& server);
  const PortRange& range() const { return range_; }

 private:
  const PortRange range_;
  std::mutex mutex_;
  std::map<Address, std::weak_ptr<ServerPorts>> servers_;
};

}  // namespace lb
