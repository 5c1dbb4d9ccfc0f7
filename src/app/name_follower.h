// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "net/event_loop.h"
#include "net/resolver.h"
#include "pool/name_members.h"
#include "pool/registry.h"

namespace lb {

// Keeps the host names of the configuration resolved: asks for each again when its TTL has passed.
// Control thread; never blocks.
class NameFollower {
 public:
  // `on_change` is told when a followed name stands for other addresses than before.
  NameFollower(EventLoop& loop, std::function<void()> on_change, ResolverOptions options = {});
  ~NameFollower();

  // Follows these too.
  void add(const std::set<std::string>& hosts);
  // Follows these only.
  void keep_only(const std::set<std::string>& hosts);
  // Calls back once each of `hosts` has had an answer, of whatever kind, or `limit` is over: at
  // once where that is so already. A second call replaces the first.
  void when_answered(std::set<std::string> hosts, std::chrono::milliseconds limit,
                     std::function<void()> callback);

  PoolRegistry::Names names() const;
  // Whether it stands for an address.
  bool is_resolved(const std::string& host) const;

 private:
  struct Name {
    NameMembers members;
    std::unique_ptr<Timer> again;
    std::string error;  // of the last answer; logged when it changes
    bool answered = false;
  };

  void ask(const std::string& host);
  void take(const std::string& host, const Result<ResolvedHost>& answer);
  void call_if_answered(bool limit_over);

  EventLoop& loop_;
  std::function<void()> on_change_;
  std::map<std::string, Name> names_;
  std::set<std::string> awaited_;
  std::function<void()> callback_;
  Timer limit_;
  Resolver resolver_;
};

}  // namespace lb
