// SPDX-License-Identifier: MIT
#include "net/redis_client.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "common/log.h"
#include "net/socket.h"

namespace lb {

namespace {

constexpr std::chrono::milliseconds kFirstPause{100};
constexpr std::chrono::milliseconds kLongestPause{5'000};
constexpr std::chrono::milliseconds kLook{250};
// A reply that comes in pieces is parsed anew with each; ours are short.
constexpr size_t kRead = 32 * 1024;

}  // namespace

RedisClient::RedisClient(EventLoop& loop, Settings settings,
                         std::shared_ptr<const TlsClientContext> tls)
    : loop_(loop),
      settings_(std::move(settings)),
      tls_(std::move(tls)),
      pause_(kFirstPause),
      timer_(loop, [this] { look(); }) {}

RedisClient::~RedisClient() {
  close();
}

void RedisClient::start() {
  timer_.start(std::chrono::milliseconds(0));
}

void RedisClient::resolve() {
  state_ = State::resolving;
  timer_.start(kLoginTime);
  if (auto address = Address::parse_ip(settings_.host, settings_.port)) return connect(*address);
  resolver_ = std::make_unique<Resolver>(loop_);
  resolver_->resolve(settings_.host, [this](Result<ResolvedHost> found) {
    resolver_.reset();
    if (!found) return lose(found.error().message);
    if (found->addresses.empty()) return lose(settings_.host + " has no address");
    const Address& address = found->addresses[attempts_++ % found->addresses.size()];
    connect(*Address::parse_ip(address.ip_string(), settings_.port));
  });
}

void RedisClient::connect(const Address& address) {
  state_ = State::handshake;
  auto fd = connect_stream(address, nullptr);
  if (!fd) return lose(strerror(fd.error()));
  set_nodelay(fd->get());
  set_keepalive(fd->get(), Keepalive{});
  readable_.bind<&RedisClient::on_event>(loop_, fd->get(), IoEvent::kRead, this);
  writable_.bind<&RedisClient::on_event>(loop_, fd->get(), IoEvent::kWrite, this);
  auto tls = tls_ ? tls_->open(fd->get(), settings_.host, address.to_string()) : nullptr;
  stream_ = tls ? Stream(std::move(*fd), std::move(tls)) : Stream(std::move(*fd));
  writable_.arm();
}

void RedisClient::on_event() {
  if (state_ == State::handshake) {
    if (int error = connect_state(stream_.fd()); error != 0) {
      if (error != EINPROGRESS) lose(strerror(error));
      return;
    }
    handshake();
    return;
  }
  if (!unsent_.empty()) write();
  if (stream_) read();
}

void RedisClient::handshake() {
  Transfer step = stream_.handshake();
  if (step.outcome == Transfer::Outcome::done) return log_in();
  if (step.outcome == Transfer::Outcome::failed || step.outcome == Transfer::Outcome::end ||
      step.outcome == Transfer::Outcome::cut) {
    return lose("TLS: " + stream_.reason());
  }
  wait_for(step.outcome);
}

void RedisClient::log_in() {
  state_ = State::login;
  std::string commands;
  size_t replies = 1;
  if (!settings_.password.empty()) {
    ++replies;
    commands += settings_.user.empty() ? resp_command({"AUTH", settings_.password})
                                       : resp_command({"AUTH", settings_.user, settings_.password});
  }
  if (settings_.database != 0) {
    ++replies;
    commands += resp_command({"SELECT", std::to_string(settings_.database)});
  }
  commands += settings_.channel.empty() ? resp_command({"PING"})
                                        : resp_command({"SUBSCRIBE", settings_.channel});
  unsent_ = std::move(commands);
  asked_.push_back({replies, [this](const Replies* all) { logged_in(all); }, loop_.now_ms()});
  write();
  if (stream_) readable_.arm();
}

void RedisClient::logged_in(const Replies* replies) {
  if (replies == nullptr) return;
  for (const RespValue& reply : *replies) {
    // The text may hold what was sent, but no server repeats a password.
    if (reply.kind == RespValue::Kind::error) return lose(reply.text);
  }
  state_ = State::ready;
  pause_ = kFirstPause;
  timer_.start(kLook);
  on_ready();
}

bool RedisClient::ask(std::string_view commands, size_t replies, Answer answer) {
  if (state_ != State::ready || !settings_.channel.empty()) return false;
  if (asked_.size() >= kMostAsked || unsent_.size() >= kMostUnsent) return false;
  unsent_.append(commands);
  asked_.push_back({replies, std::move(answer), loop_.now_ms()});
  loop_.at_end_of_turn(*this);
  return true;
}

// All that was asked for in a turn leaves in one write.
void RedisClient::end_turn() {
  if (state_ == State::ready && !writable_.armed()) write();
}

void RedisClient::write() {
  while (!unsent_.empty()) {
    Transfer step = stream_.write(unsent_);
    if (step.outcome != Transfer::Outcome::done) {
      if (step.outcome == Transfer::Outcome::wants_read ||
          step.outcome == Transfer::Outcome::wants_write) {
        return wait_for(step.outcome);
      }
      return lose(stream_.reason());
    }
    unsent_.erase(0, step.bytes);
  }
  writable_.disarm();
}

void RedisClient::wait_for(Transfer::Outcome outcome) {
  readable_.arm();
  if (outcome == Transfer::Outcome::wants_write) {
    writable_.arm();
  } else {
    writable_.disarm();
  }
}

void RedisClient::read() {
  std::array<char, kRead> chunk;
  do {
    Transfer step = stream_.read(chunk);
    switch (step.outcome) {
      case Transfer::Outcome::done:
        received_.append(chunk.data(), step.bytes);
        if (!take_replies()) return;
        break;
      case Transfer::Outcome::wants_read:
        if (unsent_.empty()) writable_.disarm();
        return;
      case Transfer::Outcome::wants_write:
        return wait_for(step.outcome);
      case Transfer::Outcome::end:
      case Transfer::Outcome::cut:
        return lose("closed by the server");
      case Transfer::Outcome::failed:
        return lose(stream_.reason());
    }
  } while (stream_.has_pending());
}

// False: the connection is gone.
bool RedisClient::take_replies() {
  size_t taken = 0;
  while (taken < received_.size()) {
    RespParse parse = parse_resp(std::string_view(received_).substr(taken));
    if (parse.state == RespParse::State::incomplete) break;
    if (parse.state == RespParse::State::invalid) {
      lose("no answer of Redis");
      return false;
    }
    taken += parse.length;
    if (!take_reply(std::move(parse.value))) return false;
  }
  received_.erase(0, taken);
  return true;
}

bool RedisClient::take_reply(RespValue reply) {
  if (asked_.empty()) return take_message(reply);
  replies_.push_back(std::move(reply));
  if (replies_.size() < asked_.front().replies) return true;
  Asked asked = std::move(asked_.front());
  asked_.pop_front();
  Replies replies = std::exchange(replies_, {});
  asked.answer(&replies);
  return static_cast<bool>(stream_);
}

bool RedisClient::take_message(const RespValue& message) {
  bool is_one = !settings_.channel.empty() && message.kind == RespValue::Kind::array &&
                message.items.size() == 3 && message.items[0].text == "message";
  if (is_one) {
    on_message(message.items[2].text);
  } else {
    lose("an answer to nothing that was asked");
  }
  return static_cast<bool>(stream_);
}

void RedisClient::look() {
  if (state_ == State::pausing) return resolve();
  if (state_ != State::ready) return lose("no answer in time");
  bool late = !asked_.empty() && loop_.now_ms() - asked_.front().asked_ms >= kPatience.count();
  if (late) return lose("no answer in time");
  timer_.start(kLook);
}

void RedisClient::lose(const std::string& why) {
  close();
  state_ = State::pausing;
  timer_.start(pause_);
  pause_ = std::min(2 * pause_, kLongestPause);
  for (Asked& asked : std::exchange(asked_, {})) asked.answer(nullptr);
  on_lost(why);
}

void RedisClient::close() {
  resolver_.reset();
  readable_.disarm();
  writable_.disarm();
  stream_.close();
  unsent_.clear();
  received_.clear();
  replies_.clear();
}

}  // namespace lb
