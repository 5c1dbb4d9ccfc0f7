// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "common/histogram.h"
#include "common/tally.h"
#include "pool/close_reason.h"
#include "pool/request_table.h"

namespace lb {

// Figures of one listener that one worker writes, without atomic read-modify-write, and the control
// thread reads when somebody asks. A protocol that counts more adds it here and counts in its
// sessions, by Frontend::cell().
struct alignas(64) ListenerCell {
  Tally connections;    // accepted, whatever became of them; over udp: sessions
  Tally requests;       // over tcp and udp: connections and sessions that got a server
  Tally datagrams_in;   // over udp: from clients
  Tally datagrams_out;  // and to them
  Tally bytes_in;       // from clients, as far as servers took them
  Tally bytes_out;      // to clients
  std::array<Tally, kCloseReasons> ended;
  Histogram connect;      // of a connection to a server
  Histogram first_byte;   // from the begin of that connect (or of the request, if it came later) to
                          // the first byte of the answer
  Histogram duration;     // of a client's connection as a whole; over http of a request
  RequestTable by_route;  // over http
};

// The cells of one listener. Lives as long as the process: a listener that goes and comes back goes
// on counting.
class ListenerStats {
 public:
  // What all workers counted.
  struct Sum {
    uint64_t connections = 0;
    uint64_t requests = 0;
    uint64_t datagrams_in = 0;
    uint64_t datagrams_out = 0;
    uint64_t bytes_in = 0;
    uint64_t bytes_out = 0;
    std::vector<std::pair<CloseReason, uint64_t>> ended;  // those that happened
    HistogramCounts connect;
    HistogramCounts first_byte;
    HistogramCounts duration;
    RequestTable::Sum by_route;
  };

  explicit ListenerStats(size_t workers) : cells_(workers) {}
  // That worker's thread.
  ListenerCell& cell(size_t worker) { return cells_[worker]; }
  // Any thread.
  Sum sum() const;

 private:
  std::vector<ListenerCell> cells_;
};

}  // namespace lb
