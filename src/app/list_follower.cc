// SPDX-License-Identifier: MIT
#include "app/list_follower.h"

#include <algorithm>
#include <utility>

#include "config/network_list.h"

namespace lb {

ListFollower::ListFollower(EventLoop& loop, std::function<void()> on_change,
                           std::chrono::milliseconds period)
    : on_change_(std::move(on_change)), period_(period), timer_(loop, [this] { look(); }) {}

void ListFollower::follow(const Config& config) {
  files_.clear();
  for (const auto& [name, listener] : config.listeners) {
    for (const NetworkSource* source : {&listener.allow_source, &listener.deny_source}) {
      for (const std::string& file : source->files) files_[file] = std::nullopt;
    }
  }
  for (const auto& [name, jwt] : config.jwt) files_[jwt.file] = std::nullopt;
  if (files_.empty()) {
    timer_.stop();
  } else {
    timer_.start(period_);
  }
}

std::optional<ListFollower::Stamp> ListFollower::stamp(const std::string& file) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) return std::nullopt;
  return Stamp{info.st_ino, info.st_size,
               int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
}

void ListFollower::look() {
  bool changed = false;
  for (auto& [file, known] : files_) {
    auto now = stamp(file);
    // Missing for a moment: an editor is replacing it.
    if (!now || now == known) continue;
    known = now;
    changed = true;
  }
  timer_.start(period_);
  if (changed) on_change_();
}

Config with_lists_read_again(const Config& config, std::vector<std::string>& problems) {
  Config result = config;
  for (auto& [name, listener] : result.listeners) {
    if (!listener.allow_source.files.empty()) {
      auto allow = config::read_networks(listener.allow_source);
      if (allow) {
        listener.allow = std::move(*allow);
      } else {
        problems.push_back("listeners." + name + ".allow: " + allow.error().message);
      }
    }
    if (!listener.deny_source.files.empty()) {
      auto deny = config::read_networks(listener.deny_source);
      if (deny) {
        listener.deny = std::move(*deny);
      } else {
        problems.push_back("listeners." + name + ".deny: " + deny.error().message);
      }
    }
  }
  return result;
}

bool same_lists(const Config& a, const Config& b) {
  return std::equal(a.listeners.begin(), a.listeners.end(), b.listeners.begin(), b.listeners.end(),
                    [](const auto& x, const auto& y) {
                      return x.second.allow == y.second.allow && x.second.deny == y.second.deny;
                    });
}

}  // namespace lb
