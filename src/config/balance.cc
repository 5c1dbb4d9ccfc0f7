// SPDX-License-Identifier: MIT
#include "config/balance.h"

#include <algorithm>

namespace lb::config {

const std::vector<Word<Balance>>& balance_words() {
  static const std::vector<Word<Balance>> words = {
      {"round_robin", Balance::round_robin},
      {"least_connections", Balance::least_connections},
      {"least_response_time", Balance::least_response_time},
      {"least_load", Balance::least_load},
      {"source_ip_hash", Balance::source_ip_hash},
      {"hash", Balance::hash},
      {"random", Balance::random},
      {.word = "weighted_round_robin", .value = Balance::round_robin, .is_alias = true},
      {.word = "weighted", .value = Balance::round_robin, .is_alias = true},
      {.word = "ip_hash", .value = Balance::source_ip_hash, .is_alias = true},
  };
  return words;
}

std::string_view balance_name(Balance balance) {
  const auto& words = balance_words();
  auto found = std::find_if(words.begin(), words.end(), [&](const Word<Balance>& word) {
    return word.value == balance && !word.is_alias;
  });
  return found == words.end() ? "" : found->word;
}

}  // namespace lb::config
