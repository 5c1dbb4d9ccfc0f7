// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "common/histogram.h"
#include "common/tally.h"

namespace lb {

// Requests of one listener on one worker, by route, server and status. The worker keeps what it got
// from here and counts without a lock; a lock is taken when a combination comes up for the first
// time, and by who reads. Bounded: what is too much counts as "other".
class RequestTable {
 public:
  static constexpr size_t kMostRoutes = 1'000;
  static constexpr size_t kMostSeries = 10'000;

  struct Route {
    std::string name;
    Histogram latency;  // to the end of the answer
  };
  struct Series {
    std::string route;
    std::string pool;    // "" where no server was asked
    std::string server;  // likewise
    int status = 0;      // 0: the client was gone
    Tally requests;
  };

  // Valid for good. The worker's thread.
  Route& route(const std::string& name);
  Series& series(const std::string& route, const std::string& pool, const std::string& server,
                 int status);

  // What all workers counted, by the same names. Any thread.
  struct Sum {
    using Key = std::tuple<std::string, std::string, std::string, int>;
    std::map<Key, uint64_t> requests;
    std::map<std::string, HistogramCounts> latency;  // by route
  };
  void add_to(Sum& sum) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Route> routes_;
  std::map<Sum::Key, Series> series_;
};

}  // namespace lb
