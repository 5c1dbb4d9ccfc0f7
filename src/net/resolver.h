// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/result.h"
#include "net/event_loop.h"

namespace lb {

// What a host name stands for at the moment.
struct ResolvedHost {
  // IPv4 and IPv6, port 0, sorted, each once. Empty: the name exists and has none.
  std::vector<Address> addresses = {};
  // Of the record that ends first, aliases included.
  std::chrono::seconds ttl{0};
  // The question for one of the two families failed: an address that is missing may still exist.
  bool partial = false;
};

struct ResolverOptions {
  // "127.0.0.1:5353,[::1]:53"; empty = those of /etc/resolv.conf.
  std::string servers = {};
  // The wait of a question's first try; c-ares doubles it after each round of all name servers.
  std::chrono::milliseconds timeout{2'000};
  int tries = 3;
  // Of a whole look-up, search domains and further tries included.
  std::chrono::milliseconds limit{10'000};
  // Look-ups at a time; others wait in order.
  size_t parallel = 64;
};

// Resolves host names without blocking: the hosts file first, then DNS over UDP, over TCP where an
// answer is too long for it. Each look-up reads resolv.conf and hosts anew, so that changes of
// either need no restart. Keeps no cache. Loop thread.
class Resolver {
 public:
  using Callback = std::function<void(Result<ResolvedHost>)>;

  // Every resolver of the process reads these files instead of /etc/hosts and /etc/resolv.conf.
  // Before there is another thread.
  static void read_names_from(const std::string& hosts, const std::string& resolv_conf);

  explicit Resolver(EventLoop& loop, ResolverOptions options = {});
  // Cancels what is under way: no callback comes any more.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Calls back once, later from the loop, never from within. The callback may ask again and may
  // destroy the resolver. A numeric address stands for itself.
  void resolve(std::string host, Callback callback);

 private:
  class Lookup;
  struct Waiting {
    std::string host;
    Callback callback;
  };

  void start_waiting();
  void finish(Lookup& lookup);

  EventLoop& loop_;
  const ResolverOptions options_;
  std::deque<Waiting> waiting_;
  std::vector<std::unique_ptr<Lookup>> lookups_;
  Timer start_;
};

}  // namespace lb
