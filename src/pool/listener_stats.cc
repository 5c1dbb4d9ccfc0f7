// SPDX-License-Identifier: MIT
#include "pool/listener_stats.h"

namespace lb {

ListenerStats::Sum ListenerStats::sum() const {
  Sum sum;
  std::array<uint64_t, kCloseReasons> ended{};
  for (const ListenerCell& cell : cells_) {
    sum.connections += cell.connections.read();
    sum.requests += cell.requests.read();
    sum.datagrams_in += cell.datagrams_in.read();
    sum.datagrams_out += cell.datagrams_out.read();
    sum.bytes_in += cell.bytes_in.read();
    sum.bytes_out += cell.bytes_out.read();
    for (size_t i = 0; i < ended.size(); ++i) ended[i] += cell.ended[i].read();
    cell.connect.add_to(sum.connect);
    cell.first_byte.add_to(sum.first_byte);
    cell.duration.add_to(sum.duration);
    cell.by_route.add_to(sum.by_route);
  }
  for (size_t i = 0; i < ended.size(); ++i) {
    if (ended[i] > 0) sum.ended.emplace_back(static_cast<CloseReason>(i), ended[i]);
  }
  return sum;
}

}  // namespace lb
