// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace lb {

// The first error of OpenSSL's queue of this thread, in words ("no shared cipher"); empties it.
std::string tls_error();
std::string tls_error(unsigned long code);

}  // namespace lb
