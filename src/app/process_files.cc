// SPDX-License-Identifier: MIT
// What becomes of files that change while lb runs.
#include <string>
#include <utility>
#include <vector>

#include "app/process.h"
#include "common/log.h"

namespace lb {

std::string Process::with_reason(std::string message) const {
  return sandbox_ ? sandbox_->with_reason(std::move(message)) : message;
}

void Process::lists_changed() {
  if (terminating_) return;
  std::vector<std::string> problems;
  Config file = with_lists_read_again(*file_, problems);
  for (const std::string& problem : problems) {
    log::error("{}: {}; the list stays as it was", source_.name, with_reason(problem));
  }
  if (verifiers_changed()) publish();
  if (same_lists(file, *file_)) return;
  // No new names, so nothing to wait for.
  if (auto applied = apply(std::move(file), overlay_); !applied) {
    return log::error("{}: {}; the running configuration stays", source_.name,
                      applied.error().message);
  }
  log::info("{}: lists read again", source_.name);
}

// A file of keys that cannot be used leaves the keys as they were.
bool Process::verifiers_changed() {
  std::vector<std::string> problems;
  auto set = tokens_.build(*config_, problems);
  for (const std::string& problem : problems) {
    log::error("{}: {}; its keys stay", source_.name, with_reason(problem));
  }
  if (!set || !tokens_.differs(*set)) return false;
  tokens_.adopt(std::move(*set));
  log::info("{}: keys of tokens read again", source_.name);
  return true;
}

}  // namespace lb
