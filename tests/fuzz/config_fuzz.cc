// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/loader.h"

// Any bytes are a configuration or a list of problems in order, each at a place of the text and in
// one printable line.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto loaded = lb::load_config_text(text, "/nonexistent");
  const auto& problems = loaded ? loaded->warnings : loaded.error();
  if (!loaded && problems.empty()) std::abort();
  auto lines = 1 + std::count(text.begin(), text.end(), '\n');
  for (size_t i = 0; i < problems.size(); ++i) {
    const lb::ConfigProblem& problem = problems[i];
    if (problem.line < 1 || problem.line > lines || problem.column < 1) std::abort();
    if (i > 0 && problem.line < problems[i - 1].line) std::abort();
    for (char c : problem.to_string("lb.yaml")) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) std::abort();
    }
  }
  return 0;
}
