// SPDX-License-Identifier: MIT
#include "admin/dashboard.h"

#include <cstddef>

// LB_DASHBOARD is the folder of the built files, which CMake names. The assembler reads them: for a
// compiler a literal of this length is slow.
asm(".section .rodata\n"
    "lb_dashboard_page:\n"
    ".incbin \"" LB_DASHBOARD
    "/stats.html\"\n"
    "lb_dashboard_page_end:\n"
    "lb_dashboard_policy:\n"
    ".incbin \"" LB_DASHBOARD
    "/stats.csp\"\n"
    "lb_dashboard_policy_end:\n"
    ".previous\n");

extern "C" {
extern const char lb_dashboard_page[];
extern const char lb_dashboard_page_end[];
extern const char lb_dashboard_policy[];
extern const char lb_dashboard_policy_end[];
}

namespace lb::admin {

std::string_view dashboard_page() {
  return {lb_dashboard_page, static_cast<size_t>(lb_dashboard_page_end - lb_dashboard_page)};
}

std::string_view dashboard_policy() {
  return {lb_dashboard_policy, static_cast<size_t>(lb_dashboard_policy_end - lb_dashboard_policy)};
}

}  // namespace lb::admin
