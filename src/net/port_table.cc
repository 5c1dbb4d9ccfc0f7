// SPDX-License-Identifier: MIT
#include "net/port_table.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <fstream>
#include <string>

namespace lb {

PortRange PortRange::of_this_machine() {
  PortRange range;
  std::ifstream file("/proc/sys/net/ipv4/ip_local_port_range");
  uint32_t first = 0;
  uint32_t last = 0;
  if (file >> first >> last && first > 0 && last <= 65'535 && first <= last) {
    range.first = static_cast<uint16_t>(first);
    uint32_t all = last - first + 1;
    // Of a narrow range the half.
    range.count = all - std::min(kLeftForOthers, all / 2);
  }
  std::ifstream reserved("/proc/sys/net/ipv4/ip_local_reserved_ports");
  if (std::string ports; std::getline(reserved, ports)) range.reserve(ports);
  return range;
}

void PortRange::reserve(std::string_view ports) {
  while (!ports.empty()) {
    std::string_view item = ports.substr(0, ports.find(','));
    ports.remove_prefix(std::min(ports.size(), item.size() + 1));
    uint32_t from = 0;
    auto [end, error] = std::from_chars(item.begin(), item.end(), from);
    if (error != std::errc()) continue;
    uint32_t to = from;
    if (end != item.end() && *end == '-') std::from_chars(end + 1, item.end(), to);
    for (uint32_t port = std::max<uint32_t>(from, first); port <= to && port - first < count;
         ++port) {
      reserved.push_back(static_cast<uint16_t>(port));
    }
  }
}

size_t ServerPorts::index_of(const Address& source) {
  Address key = source;
  key.set_port(0);
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].source == key) return i;
  }
  sources_.push_back({key, std::vector<uint64_t>((range_.count + 63) / 64)});
  for (uint16_t port : range_.reserved) {
    size_t bit = static_cast<size_t>(port) - range_.first;
    sources_.back().taken[bit / 64] |= uint64_t{1} << bit % 64;
  }
  return sources_.size() - 1;
}

// The taken bits that matter to `own`: its own, those of the unspecified source, and for the
// unspecified source everybody's. Bits beyond the range are always set.
uint64_t ServerPorts::taken_word(const BySource& own, size_t word) const {
  uint64_t taken = 0;
  for (const BySource& other : sources_) {
    if (&other == &own || other.source.is_wildcard() || own.source.is_wildcard()) {
      taken |= other.taken[word];
    }
  }
  size_t left = range_.count - word * 64;
  return left < 64 ? taken | ~uint64_t{0} << left : taken;
}

ServerPorts::Port ServerPorts::take(const Address& source, uint64_t random) {
  std::lock_guard lock(mutex_);
  size_t index = index_of(source);
  BySource& own = sources_[index];
  size_t words = own.taken.size();
  size_t start = random % words;
  auto turn = static_cast<int>(random / words % 64);
  for (size_t i = 0; i < words; ++i) {
    size_t word = (start + i) % words;
    uint64_t taken = taken_word(own, word);
    if (taken == ~uint64_t{0}) continue;
    int bit = (std::countr_one(std::rotr(taken, turn)) + turn) % 64;
    own.taken[word] |= uint64_t{1} << bit;
    size_t number = range_.first + word * 64 + static_cast<size_t>(bit);
    return {static_cast<uint16_t>(number), static_cast<uint16_t>(index)};
  }
  return {};
}

void ServerPorts::give_back(Port port) {
  std::lock_guard lock(mutex_);
  size_t bit = static_cast<size_t>(port.number) - range_.first;
  sources_[port.source].taken[bit / 64] &= ~(uint64_t{1} << bit % 64);
}

std::shared_ptr<ServerPorts> PortTable::towards(const Address& server) {
  std::lock_guard lock(mutex_);
  auto& known = servers_[server];
  std::shared_ptr<ServerPorts> ports = known.lock();
  if (!ports) {
    ports = std::make_shared<ServerPorts>(range_);
    known = ports;
    std::erase_if(servers_, [](const auto& entry) { return entry.second.expired(); });
  }
  return ports;
}

}  // namespace lb
