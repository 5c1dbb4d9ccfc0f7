// SPDX-License-Identifier: MIT
#include "app/list_follower.h"

#include <algorithm>
#include <utility>

#include "config/network_list.h"

namespace lb {

namespace {

constexpr int kLooksUntilGone = 2;

}  // namespace

std::optional<FileStamp> file_stamp(const std::string& file) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) return std::nullopt;
  return FileStamp{info.st_ino, info.st_size,
                   int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
}

ListFollower::ListFollower(EventLoop& loop, std::function<void()> on_change,
                           std::chrono::milliseconds period)
    : on_change_(std::move(on_change)), period_(period), timer_(loop, [this] { look(); }) {}

void ListFollower::follow(const Config& config) {
  std::map<std::string, File> before = std::exchange(files_, {});
  auto add = [&](const std::string& path) { files_[path] = before[path]; };
  for (const auto& [name, listener] : config.listeners) {
    for (const NetworkSource* source : {&listener.allow_source, &listener.deny_source}) {
      for (const std::string& path : source->files) add(path);
    }
  }
  for (const auto& [name, jwt] : config.jwt) add(jwt.file);
  if (files_.empty()) return timer_.stop();
  if (!timer_.pending()) timer_.start(period_);
}

void ListFollower::tell_again() {
  for (auto& [path, file] : files_) file = {};
}

// Missing for a moment: an editor is replacing it. For longer: somebody should hear of it, once.
bool ListFollower::is_news(const std::string& path, File& file) {
  auto now = file_stamp(path);
  if (!now) return ++file.looks_missing == kLooksUntilGone;
  file.looks_missing = 0;
  if (now == file.stamp) return false;
  file.stamp = now;
  return true;
}

void ListFollower::look() {
  bool changed = false;
  for (auto& [path, file] : files_) changed |= is_news(path, file);
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
