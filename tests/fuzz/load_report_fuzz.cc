// SPDX-License-Identifier: MIT
// Load reports over any bytes: what is read is a load.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "pool/load_report.h"

namespace {

void check(const std::optional<lb::LoadReport>& report) {
  if (!report) return;
  if (report->empty()) std::abort();
  for (const auto& metric : {report->cpu, report->memory, report->network}) {
    if (metric && !(*metric >= 0 && *metric <= lb::LoadReport::kMostLoad)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(lb::parse_load_header(bytes));
  check(lb::parse_load_body(bytes));
  return 0;
}
