// SPDX-License-Identifier: MIT
#include "app/demo_server.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>

#include "common/clock.h"
#include "common/named_thread.h"
#include "net/socket.h"

namespace lb {

namespace {

constexpr uint32_t kMaxConnections = 1'000;
constexpr size_t kLongestLine = 4'096;
constexpr size_t kChunk = size_t{16} * 1024;

}  // namespace

// One connection. Reads no more while its answers are not taken or not due, so that both buffers
// are bounded.
class DemoServer::Conversation {
 public:
  Conversation(DemoServer& server, Fd client)
      : server_(server), client_(std::move(client)), due_(server.loop_, [this] { answer(); }) {
    readable_.bind<&Conversation::on_readable>(server.loop_, client_.get(), IoEvent::kRead, this);
    writable_.bind<&Conversation::flush>(server.loop_, client_.get(), IoEvent::kWrite, this);
    readable_.arm();
  }

  void reset() {
    set_reset_on_close(client_.get());
    end();
  }

 private:
  void on_readable() {
    std::array<char, kChunk> chunk;
    ssize_t got = recv(client_.get(), chunk.data(), chunk.size(), 0);
    if (got < 0) {
      if (errno != EAGAIN) end();
      return;
    }
    finished_ = got == 0;
    received_.append(chunk.data(), static_cast<size_t>(got));
    if (is_new_) choose_protocol();
    http_ ? take_requests() : take_lines();
  }

  void choose_protocol() {
    size_t line = received_.find('\n');
    if (line == std::string::npos) return;
    is_new_ = false;
    if (DemoHttp::is_request(std::string_view(received_).substr(0, line)))
      http_.emplace(server_.http_);
  }

  void take_lines() {
    // `printf hi | nc` sends no newline, and is answered all the same.
    if (finished_ && !received_.empty()) received_ += '\n';
    answer_lines();
    if (received_.size() > kLongestLine) return reset();
    flush();
  }

  void answer_lines() {
    size_t begin = 0;
    for (size_t end; (end = received_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      to_send_ += server_.name_ + ": ";
      to_send_.append(received_, begin, end + 1 - begin);
    }
    received_.erase(0, begin);
  }

  void take_requests() {
    while (!is_over_) {
      int64_t now_us = monotonic_us();
      if (!http_->take(received_, now_us, to_send_)) break;
      int64_t left_us = http_->answer_us() - now_us;
      if (left_us > 0) {
        awaits_answer_ = true;
        // Rounded to the nearest: on the average a request takes what it is to take.
        due_.start(std::chrono::milliseconds((left_us + 500) / 1'000));
        break;
      }
      answer_request();
    }
    flush();
  }

  void answer_request() {
    http_->answer(monotonic_us(), to_send_);
    is_over_ = http_->is_last();
  }

  void answer() {
    awaits_answer_ = false;
    answer_request();
    take_requests();
  }

  void flush() {
    if (!to_send_.empty()) {
      ssize_t sent = send(client_.get(), to_send_.data(), to_send_.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return end();
      if (sent > 0) to_send_.erase(0, static_cast<size_t>(sent));
    }
    if (!to_send_.empty()) {
      readable_.disarm();
      writable_.arm();
      return;
    }
    writable_.disarm();
    if (awaits_answer_) {
      readable_.disarm();
    } else if (finished_ || is_over_) {
      end();
    } else {
      readable_.arm();
    }
  }

  void end() {
    due_.stop();
    readable_.disarm();
    writable_.disarm();
    client_.reset();
    server_.ended(*this);
  }

  DemoServer& server_;
  Fd client_;
  IoEvent readable_;
  IoEvent writable_;
  Timer due_;                     // an answer
  std::optional<DemoHttp> http_;  // absent: it speaks in lines
  std::string received_;          // less than a line, or than a request
  std::string to_send_;
  bool is_new_ = true;  // what it speaks is not known
  bool awaits_answer_ = false;
  bool is_over_ = false;  // it ends when all is sent
  bool finished_ = false;
};

DemoServer::DemoServer(std::string name, const DemoBehavior& behavior,
                       std::shared_ptr<DemoPictures> pictures)
    : name_(std::move(name)),
      mailbox_(loop_),
      connections_(kMaxConnections, 1,
                   [this](size_t) {
                     if (acceptor_) acceptor_->resume();
                   }),
      no_limit_(ConnectionLimit::kUnlimited, 1, [](size_t) {}),
      pictures_(std::move(pictures)),
      shop_(name_, pictures_),
      work_(behavior, hash64(name_)),
      http_{name_, shop_, *pictures_, work_} {}

DemoServer::~DemoServer() {
  if (!thread_.joinable()) return;
  mailbox_.post([this] { loop_.stop(); });
  thread_.join();
}

Status<> DemoServer::start(const Address& address) {
  auto reserved = reserve_address(address);
  if (!reserved) return fail(reserved.error().message);
  reserved_ = std::move(*reserved);
  address_ = local_address(reserved_.get());
  if (auto opened = open(); !opened) return opened;
  thread_ = start_thread("demo-" + name_, [this] { loop_.run(); });
  return Done{};
}

Status<> DemoServer::open() {
  auto listening = listen_stream(address_, {});
  if (!listening) return fail(listening.error().message);
  mailbox_.post([this, fd = std::move(*listening)]() mutable {
    listening_ = std::move(fd);
    acceptor_ = std::make_unique<Acceptor>(
        loop_, listening_.get(), 0, connections_, no_limit_,
        [this](Fd client, const Address&) { serve(std::move(client)); },
        [](Acceptor::Lack) { return false; });
  });
  return Done{};
}

void DemoServer::close() {
  mailbox_.post([this] {
    acceptor_.reset();
    listening_.reset();
    while (!conversations_.empty()) conversations_.begin()->second->reset();
    shop_.forget_carts();
  });
}

void DemoServer::serve(Fd client) {
  auto conversation = std::make_unique<Conversation>(*this, std::move(client));
  const Conversation* key = conversation.get();
  conversations_.emplace(key, std::move(conversation));
}

void DemoServer::ended(const Conversation& conversation) {
  auto found = conversations_.find(&conversation);
  loop_.retire(std::move(found->second));
  conversations_.erase(found);
  no_limit_.give_back();
  connections_.give_back();
}

}  // namespace lb
