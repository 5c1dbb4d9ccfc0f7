// SPDX-License-Identifier: MIT
#include "app/demo_load.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "common/clock.h"
#include "common/fd.h"
#include "common/named_thread.h"
#include "net/socket.h"

namespace lb {

namespace {

constexpr std::chrono::milliseconds kPace{10};
constexpr std::chrono::milliseconds kPatience{2'000};
constexpr std::chrono::milliseconds kThinkingTime{250};  // of a long-lived connection
constexpr int64_t kLastingPause_ms = 100;
constexpr size_t kMaxBrief = 64;
constexpr size_t kLongestAnswer = 256;

}  // namespace

// One connection: connects, asks a line, takes the answer; a short one ends there, a lasting one
// asks again after a while.
class DemoLoad::Client {
 public:
  Client(DemoLoad& load, bool lasts)
      : load_(load),
        lasts_(lasts),
        began_us_(monotonic_us()),
        timer_(load.loop_, [this] { on_timer(); }) {}

  // Once, right after construction; may end the client.
  void start() {
    auto socket = connect_stream(load_.balancer_, nullptr);
    if (!socket) return fail();
    socket_ = std::move(*socket);
    readable_.bind<&Client::on_readable>(load_.loop_, socket_.get(), IoEvent::kRead, this);
    writable_.bind<&Client::ask>(load_.loop_, socket_.get(), IoEvent::kWrite, this);
    writable_.arm();
    timer_.start(kPatience);
  }

  // Whether it waits for nothing that was asked.
  bool is_idle() const { return used_ && expected_.empty(); }

  // Before it is retired.
  void let_go() {
    timer_.stop();
    readable_.disarm();
    writable_.disarm();
    socket_.reset();
  }

 private:
  void ask() {
    writable_.disarm();
    std::string line = "hello " + std::to_string(++load_.next_number_) + "\n";
    expected_ = ": " + line;
    // So few bytes fit into an empty socket, or it is broken: a failed connect shows here too.
    ssize_t sent = send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(line.size())) return fail();
    readable_.arm();
    timer_.start(kPatience);
  }

  void on_readable() {
    std::array<char, kLongestAnswer> chunk;
    ssize_t got = recv(socket_.get(), chunk.data(), chunk.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return fail();
    answer_.append(chunk.data(), static_cast<size_t>(got));
    if (answer_.size() > kLongestAnswer) return fail();
    if (answer_.back() == '\n') take_answer();
  }

  void take_answer() {
    // What comes before it is the server's name.
    if (expected_.empty() || !std::string_view(answer_).ends_with(expected_)) return fail();
    used_ = true;
    answer_.clear();
    expected_.clear();
    if (!lasts_) return load_.answered(*this, monotonic_us() - began_us_);
    timer_.start(kThinkingTime);
  }

  void on_timer() { is_idle() ? ask() : fail(); }

  void fail() { used_ ? load_.cut(*this) : load_.failed(*this); }

  DemoLoad& load_;
  const bool lasts_;
  const int64_t began_us_;
  Fd socket_;
  IoEvent readable_;
  IoEvent writable_;
  Timer timer_;           // for the answer, or until the next request
  std::string expected_;  // how the answer ends; empty while none is due
  std::string answer_;
  bool used_ = false;  // has been answered once
};

DemoLoad::DemoLoad(const Address& balancer)
    : balancer_(balancer), mailbox_(loop_), pace_(loop_, [this] { keep_pace(); }) {}

DemoLoad::~DemoLoad() {
  if (!thread_.joinable()) return;
  mailbox_.post([this] { loop_.stop(); });
  thread_.join();
}

void DemoLoad::start() {
  started_ms_ = monotonic_ms();
  pace_.start(kPace);
  thread_ = start_thread("demo-clients", [this] { loop_.run(); });
}

void DemoLoad::finish() {
  finishing_.store(true);
  mailbox_.post([this] {
    pace_.stop();
    while (!lasting_.empty()) remove(*lasting_.begin()->first);
  });
}

DemoFigures DemoLoad::take() {
  std::lock_guard lock(mutex_);
  return std::exchange(figures_, {});
}

void DemoLoad::keep_pace() {
  pace_.start(kPace);
  if (finishing_.load()) return;
  int64_t now_ms = loop_.now_ms();
  int64_t due = (now_ms - started_ms_) * kPerSecond / 1'000;
  // What was not begun in time is left out, not made up for: the rate stays bounded.
  begun_ = std::max(begun_, due - kPerSecond / 10);
  // In a row and before the short ones, so that a round robin spreads them evenly.
  if (now_ms >= next_lasting_ms_) {
    next_lasting_ms_ = now_ms + kLastingPause_ms;
    for (size_t missing = kLasting - lasting_.size(); missing > 0; --missing) begin(lasting_);
  }
  for (; begun_ < due; ++begun_) {
    if (brief_.size() < kMaxBrief) begin(brief_);
  }
}

void DemoLoad::begin(Clients& clients) {
  auto made = std::make_unique<Client>(*this, &clients == &lasting_);
  Client& client = *made;
  clients.emplace(&client, std::move(made));
  client.start();
}

void DemoLoad::answered(const Client& client, int64_t latency_us) {
  {
    std::lock_guard lock(mutex_);
    ++figures_.answered;
    figures_.latencies.record(static_cast<uint32_t>(latency_us));
  }
  remove(client);
}

void DemoLoad::failed(const Client& client) {
  if (!finishing_.load()) {
    std::lock_guard lock(mutex_);
    ++figures_.failed;
  }
  remove(client);
}

void DemoLoad::cut(const Client& client) {
  if (!finishing_.load()) {
    std::lock_guard lock(mutex_);
    ++figures_.cut;
  }
  remove(client);
}

void DemoLoad::remove(const Client& client) {
  for (Clients* clients : {&brief_, &lasting_}) {
    auto found = clients->find(&client);
    if (found == clients->end()) continue;
    found->second->let_go();
    loop_.retire(std::move(found->second));
    clients->erase(found);
  }
}

}  // namespace lb
