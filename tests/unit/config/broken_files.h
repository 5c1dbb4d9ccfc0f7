// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace lb::config {

// A file with one mistake: where it must be reported, and words that the message must hold.
struct BrokenFile {
  std::string yaml;
  int line;
  int column;
  std::string path;
  std::string words;
};

std::vector<BrokenFile> broken_yaml();
std::vector<BrokenFile> broken_process_sections();
std::vector<BrokenFile> broken_admin();
std::vector<BrokenFile> broken_listeners();
std::vector<BrokenFile> broken_routes();
std::vector<BrokenFile> broken_tls();
std::vector<BrokenFile> broken_pools();
std::vector<BrokenFile> broken_servers();
std::vector<BrokenFile> broken_logins();
std::vector<BrokenFile> broken_http();
std::vector<BrokenFile> broken_jwt();

// A good file with `text` (which ends without a line break) from line 3, column 1 on.
std::string with_section(const std::string& text);
// A good file with `text` in its only listener, `listeners.a`, from line 6, column 5 on. Further
// lines of `text` must be indented by their author.
std::string with_listener(const std::string& text);
// The same for its only pool, `pools.db`, from line 5, column 5 on.
std::string with_pool(const std::string& text);
// The same with `text` as the value of its `servers`, in line 4, column 14.
std::string with_servers(const std::string& text);

}  // namespace lb::config
