// SPDX-License-Identifier: MIT
#include "config/suggest.h"

#include <algorithm>
#include <string>
#include <utility>

namespace lb::config {

namespace {

constexpr size_t kLongestWord = 40;

// What people bring from HAProxy, nginx, Envoy and Traefik.
constexpr std::pair<std::string_view, std::string_view> kOtherWords[] = {
    {"algorithm", "balance"},
    {"backend", "pool"},
    {"backends", "pools"},
    {"bind", "address"},
    {"check", "health_check"},
    {"cluster", "pool"},
    {"clusters", "pools"},
    {"endpoints", "servers"},
    {"err", "error"},
    {"frontend", "listeners"},
    {"frontends", "listeners"},
    {"global", "runtime"},
    {"lb_policy", "balance"},
    {"least_conn", "least_connections"},
    {"leastconn", "least_connections"},
    {"listen", "address"},
    {"logging", "log"},
    {"max_conns", "max_connections"},
    {"maxconn", "max_connections"},
    {"mode", "protocol"},
    {"send_proxy", "send_proxy_protocol"},
    {"threads", "workers"},
    {"warn", "warning"},
};

// Without case, and with '-' as '_'.
std::string normal(std::string_view word) {
  std::string out(word);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '-' || c == ' ') c = '_';
  }
  return out;
}

// Insertions, deletions, replacements and swaps of neighbours that turn a into b (optimal string
// alignment).
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replace, last[j] + 1, row[j - 1] + 1});
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string_view closest(std::string_view word, const std::vector<std::string_view>& candidates) {
  if (word.empty() || word.size() > kLongestWord) return {};
  std::string written = normal(word);
  for (const auto& [other, ours] : kOtherWords) {
    bool is_known = std::find(candidates.begin(), candidates.end(), ours) != candidates.end();
    if (written == other && is_known) return ours;
  }
  std::string_view best;
  size_t best_distance = 1 + std::clamp<size_t>((written.size() + 1) / 3, 1, 3);
  for (std::string_view candidate : candidates) {
    size_t edits = distance(written, normal(candidate));
    if (edits < best_distance) {
      best = candidate;
      best_distance = edits;
    }
  }
  if (!best.empty() || written.size() < 4) return best;
  for (std::string_view candidate : candidates) {
    if (candidate.starts_with(written)) return candidate;
  }
  return {};
}

}  // namespace lb::config
