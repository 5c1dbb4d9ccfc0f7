// SPDX-License-Identifier: MIT
#pragma once

#include "config/sections.h"

namespace lb::config {

// What only the whole file can tell: names that nothing bears, pools that nobody uses, addresses
// that two listeners want.
void check_references(const Draft& draft);
// Whose tokens each route goes by; an error where that cannot be told.
void choose_verifiers(Draft& draft);
// Pools whose cookies would take the place of each other's.
void check_cookies(const Draft& draft);
void check_listen_addresses(const Draft& draft);

}  // namespace lb::config
