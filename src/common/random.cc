// SPDX-License-Identifier: MIT
#include "common/random.h"

#include <unistd.h>

#include <cstdlib>

namespace lb {

void fill_random(void* into, size_t size) {
  if (getentropy(into, size) != 0) std::abort();
}

uint64_t random_word() {
  uint64_t word = 0;
  fill_random(&word, sizeof(word));
  return word;
}

}  // namespace lb
