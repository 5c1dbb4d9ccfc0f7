// SPDX-License-Identifier: MIT
#include "app/demo_screen.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "common/log.h"

namespace lb {

namespace {

constexpr int kLinesPerHeader = 20;
constexpr uint32_t kPercentPerMark = 4;

bool stdout_can_move_back() {
  // Before any thread of ours that would change the environment.
  const char* terminal = getenv("TERM");  // NOLINT(concurrency-mt-unsafe)
  return isatty(STDOUT_FILENO) == 1 && terminal && std::string_view(terminal) != "dumb";
}

const char* color_of(ServerStatus status) {
  if (status == ServerStatus::healthy) return "\x1b[32m";
  return status == ServerStatus::unhealthy ? "\x1b[31m" : "";
}

}  // namespace

std::string clock_text(int64_t elapsed_ms) {
  int64_t seconds = (elapsed_ms + 500) / 1'000;
  if (seconds < 3'600) return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
  return fmt::format("{}:{:02}:{:02}", seconds / 3'600, seconds / 60 % 60, seconds % 60);
}

std::string milliseconds_text(uint32_t time_us) {
  return fmt::format("{:.2f} ms", time_us / 1'000.0);
}

DemoScreen::DemoScreen() : in_place_(stdout_can_move_back()) {}

void DemoScreen::say(const std::string& line) {
  bool had_block = block_lines_ > 0;
  erase();
  fmt::print("{}\n", line);
  if (had_block) show_block();
  flush();
}

void DemoScreen::show(DemoView view) {
  last_ = std::move(view);
  erase();
  in_place_ ? show_block() : show_line();
  flush();
}

void DemoScreen::close(const std::string& text) {
  block_lines_ = 0;
  fmt::print("{}\n", text);
  flush();
}

void DemoScreen::erase() {
  if (block_lines_ > 0) fmt::print("\r\x1b[{}A\x1b[J", block_lines_);
  block_lines_ = 0;
}

void DemoScreen::flush() {
  works_ = works_ && fflush(stdout) == 0 && ferror(stdout) == 0;
}

void DemoScreen::show_block() {
  fmt::print("\n{:>7}   {} connections/s   {} open   {} failed   p50 {}   p99 {}\n",
             clock_text(last_.elapsed_ms), last_.per_second, last_.open, last_.failed,
             milliseconds_text(last_.p50_us), milliseconds_text(last_.p99_us));
  for (const auto& server : last_.servers) {
    fmt::print("{:>7}   {:<15}   {}{:<9}\x1b[0m   {:>3} %   {}\n", server.name, server.address,
               color_of(server.status), to_string(server.status), server.share_percent,
               std::string(server.share_percent / kPercentPerMark, '#'));
  }
  block_lines_ = 2 + static_cast<int>(last_.servers.size());
}

void DemoScreen::show_line() {
  if (until_header_-- == 0) {
    until_header_ = kLinesPerHeader - 1;
    fmt::print("{:>7}{:>8}{:>6}{:>8}{:>10}{:>10}", "time", "conn/s", "open", "failed", "p50",
               "p99");
    for (const auto& server : last_.servers) fmt::print("   {:<14}", server.name);
    fmt::print("\n");
  }
  fmt::print("{:>7}{:>8}{:>6}{:>8}{:>10}{:>10}", clock_text(last_.elapsed_ms), last_.per_second,
             last_.open, last_.failed, milliseconds_text(last_.p50_us),
             milliseconds_text(last_.p99_us));
  for (const auto& server : last_.servers) {
    fmt::print("   {:>3}% {:<9}", server.share_percent, to_string(server.status));
  }
  fmt::print("\n");
}

}  // namespace lb
