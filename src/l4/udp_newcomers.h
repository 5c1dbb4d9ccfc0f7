// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "common/fd.h"
#include "l4/flow_table.h"
#include "net/datagrams.h"

namespace lb {

// Datagrams of clients without a session, while more of them come than a turn can serve: making a
// session costs ten times what passing on a datagram does, so in a flood of new addresses known
// clients must not wait behind it. Holds what a burst brings, bounded; a flood's excess is dropped.
// One worker.
class UdpNewcomers {
 public:
  static constexpr size_t kMostBytes = 2 << 20;
  static constexpr size_t kMost = 8'192;

  struct Item {
    FlowKey key;
    std::shared_ptr<const Fd> socket;  // the listening one
    Arrival arrival;
    std::unique_ptr<char[]> bytes;
  };

  // False: there is no room for it.
  bool push(const FlowKey& key, std::shared_ptr<const Fd> socket, const Arrival& arrival);
  Item pop();
  bool empty() const { return items_.empty(); }

  // Places in the line: the first that waits, and the one after the last.
  uint64_t head() const { return head_; }
  uint64_t tail() const { return head_ + items_.size(); }

 private:
  std::deque<Item> items_;
  size_t bytes_ = 0;
  uint64_t head_ = 1;
};

}  // namespace lb
