// SPDX-License-Identifier: MIT
#include "common/random.h"

#include <unistd.h>

#include <cstdlib>

namespace lb {

void fill_random(void* into, size_t size) {
  if (getentropy(into, size) != 0) std::abort();
}

}  // namespace lb
