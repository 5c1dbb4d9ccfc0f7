// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "l7/exchange_record.h"
#include "l7/router.h"
#include "pool/listener_stats.h"

namespace lb {

// Counts the exchanges of one listener on one worker. Finds the figures of a combination by
// addresses of routes and servers, which hold until the next snapshot is taken up; the names behind
// them are looked up once for each. Worker thread.
class RequestMeter {
 public:
  // `cell` outlives this.
  explicit RequestMeter(ListenerCell& cell) : cell_(cell) {}

  // A snapshot came: its routes, and servers that may stand where others stood.
  void begin(std::shared_ptr<const Router> router);
  void count(const ExchangeRecord& record);

 private:
  struct Key {
    size_t route;
    const Server* server;
    int status;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const;
  };

  RequestTable::Series& find(const ExchangeRecord& record);
  void note_latency(const ExchangeRecord& record, uint64_t us);

  ListenerCell& cell_;
  std::shared_ptr<const Router> router_;
  std::vector<std::string> names_;             // of the routes
  std::vector<RequestTable::Route*> latency_;  // likewise; null where none was asked for yet
  std::unordered_map<Key, RequestTable::Series*, KeyHash> series_;
};

// What a route is called where people see it: its first host and path ("shop.example.com/api/*"),
// "*" where it has none. Those that are called the same are numbered.
std::vector<std::string> names_of(const std::vector<HttpRoute>& routes);

}  // namespace lb
