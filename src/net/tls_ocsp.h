// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "common/result.h"
#include "net/tls_files.h"

namespace lb {

// What a certificate's authority says of it, to be handed to clients with it.
struct OcspStaple {
  std::string der;                                        // "" = none
  int64_t until_s = std::numeric_limits<int64_t>::max();  // Unix time; not handed out afterwards
};

// Checks that the response is one and speaks of this certificate.
Result<OcspStaple> parse_ocsp(std::string_view der, const X509Handle& certificate);

}  // namespace lb
