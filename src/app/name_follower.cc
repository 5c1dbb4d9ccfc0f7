// SPDX-License-Identifier: MIT
#include "app/name_follower.h"

#include <algorithm>
#include <utility>

#include "common/log.h"

namespace lb {

NameFollower::NameFollower(EventLoop& loop, std::function<void()> on_change,
                           ResolverOptions options)
    : loop_(loop),
      on_change_(std::move(on_change)),
      limit_(loop, [this] { call_if_answered(true); }),
      resolver_(loop, std::move(options)) {}

NameFollower::~NameFollower() = default;

void NameFollower::add(const std::set<std::string>& hosts) {
  for (const std::string& host : hosts) {
    if (names_.contains(host)) continue;
    names_[host].again = std::make_unique<Timer>(loop_, [this, host] { ask(host); });
    ask(host);
  }
}

void NameFollower::keep_only(const std::set<std::string>& hosts) {
  add(hosts);
  std::erase_if(names_, [&](const auto& name) { return !hosts.contains(name.first); });
}

void NameFollower::when_answered(std::set<std::string> hosts, std::chrono::milliseconds limit,
                                 std::function<void()> callback) {
  awaited_ = std::move(hosts);
  callback_ = std::move(callback);
  limit_.start(limit);
  call_if_answered(false);
}

PoolRegistry::Names NameFollower::names() const {
  PoolRegistry::Names names;
  for (const auto& [host, name] : names_) {
    if (!name.members.addresses().empty()) names[host] = name.members.addresses();
  }
  return names;
}

bool NameFollower::is_resolved(const std::string& host) const {
  auto name = names_.find(host);
  return name != names_.end() && !name->second.members.addresses().empty();
}

void NameFollower::ask(const std::string& host) {
  resolver_.resolve(host, [this, host](const Result<ResolvedHost>& answer) {
    if (names_.contains(host)) take(host, answer);
  });
}

void NameFollower::take(const std::string& host, const Result<ResolvedHost>& answer) {
  Name& name = names_[host];
  bool first = !std::exchange(name.answered, true);
  std::string error = answer ? "" : answer.error().message;
  if (!error.empty() && error != name.error) {
    log::warning("host name {} does not resolve: {}; {}", host, error,
                 name.members.addresses().empty() ? "it has no servers yet"
                                                  : "its servers stay as they are");
  }
  name.error = std::move(error);
  bool changed = name.members.take(answer);
  name.again->start(name.members.next_wait());
  if (first) call_if_answered(false);
  if (changed) on_change_();
}

void NameFollower::call_if_answered(bool limit_over) {
  if (!callback_) return;
  bool answered = std::all_of(awaited_.begin(), awaited_.end(), [this](const std::string& host) {
    auto name = names_.find(host);
    return name == names_.end() || name->second.answered;
  });
  if (!answered && !limit_over) return;
  limit_.stop();
  std::exchange(callback_, nullptr)();
}

}  // namespace lb
