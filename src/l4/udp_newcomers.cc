// SPDX-License-Identifier: MIT
#include "l4/udp_newcomers.h"

#include <cstring>
#include <utility>

namespace lb {

bool UdpNewcomers::push(const FlowKey& key, std::shared_ptr<const Fd> socket,
                        const Arrival& arrival) {
  if (items_.size() >= kMost || bytes_ + arrival.size > kMostBytes) return false;
  // A session costs more than this copy, and these are new clients, not the datagrams of a flow.
  Item item{key, std::move(socket), arrival, std::make_unique<char[]>(arrival.size)};
  std::memcpy(item.bytes.get(), arrival.bytes, arrival.size);
  item.arrival.bytes = item.bytes.get();
  bytes_ += arrival.size;
  items_.push_back(std::move(item));
  return true;
}

UdpNewcomers::Item UdpNewcomers::pop() {
  Item item = std::move(items_.front());
  items_.pop_front();
  ++head_;
  bytes_ -= item.arrival.size;
  return item;
}

}  // namespace lb
