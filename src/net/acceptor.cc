// SPDX-License-Identifier: MIT
#include "net/acceptor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/log.h"
#include "net/descriptor_reserve.h"
#include "net/socket.h"

namespace lb {

namespace {

// The fate of one client that was gone before we came, not of the socket (accept(2), "Error
// handling").
bool is_of_client(int error) {
  switch (error) {
    case ECONNABORTED:
    case EINTR:
    case EPERM:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case ETIMEDOUT:
      return true;
    default:
      return false;
  }
}

}  // namespace

Acceptor::Acceptor(EventLoop& loop, int listening, size_t worker, ConnectionLimit& process,
                   ConnectionLimit& listener, Callback callback, MakeRoom make_room)
    : listening_(listening),
      worker_(worker),
      process_(process),
      listener_(listener),
      callback_(std::move(callback)),
      make_room_(std::move(make_room)),
      rest_(loop, [this] { resume(); }),
      ask_again_(loop, [this] { resume(); }),
      loop_(loop) {
  readable_.bind<&Acceptor::on_readable>(loop, listening_, IoEvent::kRead, this);
  readable_.arm();
}

void Acceptor::resume() {
  if (finished_ || rest_.pending()) return;
  if (held_ && !hand_over_held()) return rest(EMFILE);
  readable_.arm();
}

void Acceptor::finish() {
  finished_ = true;
  if (held_) callback_(std::move(held_), held_peer_);
  // The kernel resets what is still queued when the socket closes.
  while (accept_one() == Turn::again) {
  }
  rest_.stop();
  ask_again_.stop();
  readable_.disarm();
}

// One accept a turn while connections come singly, so that calls which only learn that there is no
// more are few; growing batches while they come faster than turns.
void Acceptor::on_readable() {
  for (int accepted = 0; accepted < batch_; ++accepted) {
    if (accept_one() == Turn::pause) {
      batch_ = 1;
      single_turns_ = kSingleTurns;
      return;
    }
  }
  if (single_turns_ > 0) {
    --single_turns_;
  } else {
    batch_ = std::min(batch_ * 2, kMaxBatch);
  }
}

Acceptor::Turn Acceptor::accept_one() {
  if (!take_counts()) return Turn::pause;
  sockaddr_storage peer;
  socklen_t length = sizeof(peer);
  auto* address = reinterpret_cast<sockaddr*>(&peer);
  Fd client(accept4(listening_, address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (client) {
    Address from = Address::from_sockaddr(address, length);
    if (is_reserved(client.get()) && !finished_) return hold(std::move(client), from);
    callback_(std::move(client), from);
    return Turn::again;
  }
  int error = errno;
  give_back_counts();
  if (error == EAGAIN) return Turn::pause;
  if (is_of_client(error)) return Turn::again;
  rest(error);
  return Turn::pause;
}

// Whoever was accepted cannot be put back into the queue: that one waits here, nobody is accepted
// meanwhile, and what ends makes room for a lower number.
Acceptor::Turn Acceptor::hold(Fd client, const Address& peer) {
  held_ = std::move(client);
  held_peer_ = peer;
  rest(EMFILE);
  return Turn::pause;
}

bool Acceptor::hand_over_held() {
  Fd lower = unless_reserved(Fd(fcntl(held_.get(), F_DUPFD_CLOEXEC, 0)));
  if (!lower) return false;
  held_.reset();
  callback_(std::move(lower), held_peer_);
  return true;
}

bool Acceptor::take_counts() {
  for (ConnectionLimit* limit : {&process_, &listener_}) {
    if (limit->take()) continue;
    limit->wait(worker_);
    if (limit->take()) continue;
    if (limit == &listener_) process_.give_back();
    wait_for_room(limit == &listener_ ? Lack::listener_limit : Lack::process_limit);
    return false;
  }
  return true;
}

// What ends gives its count back, which wakes us. Where the queue is still empty the next client
// does.
void Acceptor::wait_for_room(Lack lack) {
  if (finished_) return;
  pollfd queue{.fd = listening_, .events = POLLIN, .revents = 0};
  if (poll(&queue, 1, 0) != 1) return;
  readable_.disarm();
  if (make_room_(lack)) ask_again_.start(std::chrono::milliseconds(kRest_ms));
}

void Acceptor::give_back_counts() {
  listener_.give_back();
  process_.give_back();
}

void Acceptor::rest(int error) {
  if (finished_) return;
  readable_.disarm();
  if (error == EMFILE || error == ENFILE) (void)make_room_(Lack::descriptors);
  rest_.start(std::chrono::milliseconds(kRest_ms));
  if (warned_ms_ == 0 || loop_.now_ms() - warned_ms_ >= 10'000) {
    warned_ms_ = loop_.now_ms();
    log::warning("cannot accept connections: {}; open ones go on, new ones wait", strerror(error));
  }
}

}  // namespace lb
