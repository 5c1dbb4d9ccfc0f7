// SPDX-License-Identifier: MIT
#include "health/rise_fall.h"

#include <gtest/gtest.h>

#include <string>

namespace lb {
namespace {

char letter(Health health) {
  return health == Health::unknown ? '?' : health == Health::healthy ? 'H' : 'U';
}

// "p" is a pass, "f" a failure, "F" one that decides. `states` has a letter for the state after
// each of them, `doubtful`
// a
// "!" where the next check should come soon.
TEST(RiseFall, TurnsResultsIntoHealth) {
  struct Row {
    const char* what;
    uint32_t rise;
    uint32_t fall;
    std::string results;
    std::string states;
    std::string doubtful;
  };
  const Row rows[] = {
      {"a first pass decides at once", 5, 5, "p", "H", "."},
      {"a first failure too", 5, 5, "f", "U", "!"},
      {"it goes down after fall failures", 2, 3, "pfff", "HHHU", ".!!!"},
      {"not after one less", 2, 3, "pff", "HHH", ".!!"},
      {"failures must follow each other", 2, 3, "pffpff", "HHHHHH", ".!!.!!"},
      {"and count anew after a pass", 2, 3, "pffpfff", "HHHHHHU", ".!!.!!!"},
      {"it comes up after rise passes", 2, 3, "fpp", "UUH", "!!."},
      {"not after one less", 3, 3, "fpp", "UUU", "!!!"},
      {"passes must follow each other", 2, 3, "fpfpf", "UUUUU", "!!!!!"},
      {"and count anew after a failure", 2, 3, "fpfpp", "UUUUH", "!!!!."},
      {"one of each is no patience at all", 1, 1, "pfpf", "HUHU", ".!.!"},
      {"down and up and down again", 2, 2, "pffppff", "HHUUHHU", ".!!!.!!"},
      {"a failure that decides is enough", 2, 3, "pFfpp", "HUUUH", ".!!!."},
      {"also after others", 2, 3, "pfF", "HHU", ".!!"},
      {"one more of them changes nothing", 2, 3, "fFpFpp", "UUUUUH", "!!!!!."},
      {"more of the same changes nothing", 2, 2, "ppppffff", "HHHHHUUU", "....!!!!"},
  };
  for (const Row& row : rows) {
    RiseFall state(row.rise, row.fall);
    EXPECT_EQ(state.health(), Health::unknown);
    EXPECT_FALSE(state.is_doubtful());
    std::string states;
    std::string doubtful;
    for (char result : row.results) {
      Health before = state.health();
      auto changed = state.add(result == 'p', result == 'F');
      EXPECT_EQ(changed.has_value(), state.health() != before) << row.what;
      if (changed) {
        EXPECT_EQ(*changed, state.health()) << row.what;
      }
      states += letter(state.health());
      doubtful += state.is_doubtful() ? '!' : '.';
    }
    EXPECT_EQ(states, row.states) << row.what;
    EXPECT_EQ(doubtful, row.doubtful) << row.what;
  }
}

TEST(RiseFall, NewThresholdsCountFromTheNextResultOn) {
  RiseFall state(2, 5);
  state.add(true);
  state.add(false);
  state.add(false);
  state.set_thresholds(2, 2);
  EXPECT_EQ(state.health(), Health::healthy);
  EXPECT_EQ(state.add(false), Health::unhealthy) << "three in a row are more than two";
}

}  // namespace
}  // namespace lb
