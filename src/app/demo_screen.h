// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pool/server_state.h"

namespace lb {

// What `lb demo` shows once a second.
struct DemoView {
  struct ServerView {
    std::string name;
    std::string address;
    ServerStatus status = ServerStatus::unknown;
    uint32_t share_percent = 0;  // of the connections of this second
  };
  int64_t elapsed_ms = 0;
  uint32_t per_second = 0;
  uint32_t open = 0;
  uint64_t failed = 0;  // so far
  uint32_t p50_us = 0;
  uint32_t p99_us = 0;
  std::vector<ServerView> servers;
};

// "1:05", "1:01:05".
std::string clock_text(int64_t elapsed_ms);
// "0.31 ms".
std::string milliseconds_text(uint32_t time_us);

// Writes to stdout: on a terminal a block that is drawn anew in place, with what is said above it;
// else a line each. Control thread.
class DemoScreen {
 public:
  DemoScreen();

  void say(const std::string& line);
  void show(DemoView view);
  // The last words; what was shown last stays.
  void close(const std::string& text);
  // False when nobody reads any more.
  bool works() const { return works_; }

 private:
  void erase();
  void flush();
  void show_block();
  void show_line();

  const bool in_place_;
  DemoView last_;
  int block_lines_ = 0;  // drawn and to be erased
  int until_header_ = 0;
  bool works_ = true;
};

}  // namespace lb
