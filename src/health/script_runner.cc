// SPDX-License-Identifier: MIT
#include "health/script_runner.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include "common/clock.h"
#include "common/log.h"
#include "health/script_message.h"

namespace lb {

ScriptRunner::ScriptRunner(EventLoop& loop, ScriptProcess process)
    : process_(std::move(process)), fail_later_(loop, [this] { fail_all(); }) {
  if (process_.socket() < 0) return;
  readable_.bind<&ScriptRunner::on_readable>(loop, process_.socket(), IoEvent::kRead, this);
  writable_.bind<&ScriptRunner::on_writable>(loop, process_.socket(), IoEvent::kWrite, this);
  readable_.arm();
}

// The events go before the descriptor that they watch.
ScriptRunner::~ScriptRunner() {
  readable_.disarm();
  writable_.disarm();
}

uint64_t ScriptRunner::run(const std::vector<std::string>& command, CheckedServer server,
                           std::chrono::milliseconds timeout, Callback done) {
  uint64_t id = ++last_id_;
  waiting_.emplace(id, std::move(done));
  if (process_.socket() < 0) {
    fail_later_.start(std::chrono::milliseconds(0));
    return id;
  }
  auto bytes = to_bytes(ScriptRequest{.id = id,
                                      .deadline_ms = monotonic_ms() + timeout.count(),
                                      .command = command,
                                      .server = std::move(server)});
  if (!bytes) throw std::length_error("the configuration bounds commands");
  unsent_.push_back({id, std::move(*bytes)});
  on_writable();
  return id;
}

void ScriptRunner::forget(uint64_t id) {
  waiting_.erase(id);
  std::erase_if(unsent_, [id](const Unsent& one) { return one.id == id; });
}

// Its end is noticed by reading.
void ScriptRunner::on_writable() {
  while (!unsent_.empty()) {
    const std::string& bytes = unsent_.front().bytes;
    if (send(process_.socket(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) break;
    unsent_.pop_front();
  }
  if (unsent_.empty()) {
    writable_.disarm();
  } else {
    writable_.arm();
  }
}

void ScriptRunner::on_readable() {
  std::string buffer(kMaxScriptMessage, '\0');
  constexpr int kAnswersPerTurn = 32;
  for (int i = 0; i < kAnswersPerTurn; ++i) {
    ssize_t got = recv(process_.socket(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return process_ended();
    auto answer = parse_script_answer({buffer.data(), static_cast<size_t>(got)});
    if (!answer) continue;
    auto waiting = waiting_.find(answer->id);
    if (waiting == waiting_.end()) continue;
    Callback done = std::move(waiting->second);
    waiting_.erase(waiting);
    done({.passed = answer->passed, .detail = std::move(answer->detail)});
  }
}

void ScriptRunner::process_ended() {
  log::error(
      "the process that runs scripts has ended; restart lb to have script checks made, and new "
      "files elsewhere opened, again");
  readable_.disarm();
  writable_.disarm();
  unsent_.clear();
  process_.end();
  fail_all();
}

void ScriptRunner::fail_all() {
  for (auto& [id, done] : std::exchange(waiting_, {})) {
    done({.ran = false, .detail = "no process to run scripts in"});
  }
}

}  // namespace lb
