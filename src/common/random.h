// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace lb {

// Bytes that nobody can guess, for keys: the kernel's (getentropy(3)), up to 256. A process that
// cannot have them must not go on: it aborts. Any thread; a system call.
void fill_random(void* into, size_t size);
// Eight of them, for tables whose order nobody outside may foresee.
uint64_t random_word();

}  // namespace lb
