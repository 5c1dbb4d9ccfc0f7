// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "net/event_loop.h"
#include "net/resolver.h"
#include "net/resp.h"
#include "net/stream.h"
#include "net/tls_context.h"

namespace lb {

// One connection to a Redis server that is always there or on its way: connects, logs in, sends
// what it is asked for in the order of asking without waiting for answers, and after a failure
// connects anew, with growing pauses. Everything is bounded: what waits for an answer (kMostAsked
// requests, kMostUnsent bytes), a login (kLoginTime), silence while something is asked (kPatience).
// Loop thread.
class RedisClient final : private TurnEnd {
 public:
  static constexpr size_t kMostAsked = 16'384;
  static constexpr size_t kMostUnsent = size_t{4} * 1024 * 1024;
  static constexpr std::chrono::milliseconds kLoginTime{2'000};
  static constexpr std::chrono::milliseconds kPatience{2'000};

  struct Settings {
    std::string host = {};  // a name or an address
    uint16_t port = 6'379;
    std::string user = {};
    std::string password = {};
    uint32_t database = 0;
    std::string channel = {};  // subscribed to; it can be asked for nothing then

    friend bool operator==(const Settings&, const Settings&) = default;
  };

  using Replies = std::vector<RespValue>;
  // Null: the connection was lost before they all came. Must not destroy the client.
  using Answer = std::function<void(const Replies*)>;

  // `tls` null: in clear. Begins to connect with start().
  RedisClient(EventLoop& loop, Settings settings, std::shared_ptr<const TlsClientContext> tls);
  ~RedisClient() override;

  // Told from the loop; must not destroy the client.
  std::function<void()> on_ready = [] {};
  std::function<void(const std::string& why)> on_lost = [](const std::string&) {};
  std::function<void(const std::string& text)> on_message = [](const std::string&) {};

  void start();
  bool is_ready() const { return state_ == State::ready; }
  size_t asked() const { return asked_.size(); }
  // Sends `commands`, which are answered by so many replies; several share one write. False, and no
  // answer comes, while it is not ready or too much waits already.
  bool ask(std::string_view commands, size_t replies, Answer answer);

 private:
  enum class State : uint8_t { pausing, resolving, handshake, login, ready };
  struct Asked {
    size_t replies;
    Answer answer;
    int64_t asked_ms;
  };

  void resolve();
  void connect(const Address& address);
  void on_event();
  void handshake();
  void log_in();
  void logged_in(const Replies* replies);
  void read();
  bool take_replies();
  bool take_reply(RespValue reply);
  bool take_message(const RespValue& message);
  void end_turn() override;
  void write();
  void wait_for(Transfer::Outcome outcome);
  void look();
  void lose(const std::string& why);
  void close();

  EventLoop& loop_;
  const Settings settings_;
  const std::shared_ptr<const TlsClientContext> tls_;
  State state_ = State::pausing;
  std::unique_ptr<Resolver> resolver_;
  uint64_t attempts_ = 0;
  std::chrono::milliseconds pause_;
  Stream stream_;
  IoEvent readable_;
  IoEvent writable_;
  Timer timer_;  // the next attempt, or its end; while ready, a look at how long the oldest waits
  std::string unsent_;
  std::string received_;
  std::deque<Asked> asked_;
  Replies replies_;  // of the first that was asked
};

}  // namespace lb
