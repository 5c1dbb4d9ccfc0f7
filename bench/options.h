// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

namespace lb::bench {

[[noreturn]] inline void die(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

// The command line of the programs here: pairs of "--name value". A name that nobody asked for is
// an error, so that a misspelt option never measures something else.
class Options {
 public:
  Options(int argc, char** argv) {
    for (int i = 1; i < argc; i += 2) {
      const std::string name = argv[i];
      if (!name.starts_with("--") || i + 1 == argc) die("expected --name value, got " + name);
      values_[name.substr(2)] = argv[i + 1];
    }
  }

  std::string text(const std::string& name, const std::string& fallback) {
    const auto found = values_.extract(name);
    return found ? found.mapped() : fallback;
  }
  uint64_t number(const std::string& name, uint64_t fallback) {
    const std::string value = text(name, std::to_string(fallback));
    char* end = nullptr;
    const uint64_t result = std::strtoull(value.c_str(), &end, 10);
    if (value.empty() || *end != '\0') die("--" + name + ": not a whole number: " + value);
    return result;
  }
  double seconds(const std::string& name, double fallback) {
    const std::string value = text(name, std::to_string(fallback));
    char* end = nullptr;
    const double result = std::strtod(value.c_str(), &end);
    if (value.empty() || *end != '\0' || result < 0) die("--" + name + ": not seconds: " + value);
    return result;
  }
  void finish() const {
    if (!values_.empty()) die("unknown option --" + values_.begin()->first);
  }

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace lb::bench
