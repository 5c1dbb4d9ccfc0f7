// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace lb::admin {

// What dashboard/ was built into: one page of HTML, and the Content-Security-Policy under which
// nothing but its own script runs.
std::string_view dashboard_page();
std::string_view dashboard_policy();

}  // namespace lb::admin
