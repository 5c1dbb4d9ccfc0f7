// SPDX-License-Identifier: MIT
#pragma once

#include "config/tls_inspector.h"

namespace lb {

// What OpenSSL says of the files of a configuration. Control thread.
const TlsInspector& tls_inspector();

}  // namespace lb
