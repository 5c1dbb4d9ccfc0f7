// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../loopback.h"

namespace lb {

// A loopback address of this process alone. A port that one test has let go of may be given to
// another, whose server would then count the late checks of the first as its own.
inline std::string own_loopback() {
  auto pid = static_cast<unsigned>(getpid());
  return "127." + std::to_string(1 + (pid >> 16) % 254) + "." + std::to_string((pid >> 8) % 256) +
         "." + std::to_string(1 + pid % 254);
}

// A server that a test's loop runs: takes connections and says, in pieces, what it is told to.
class FakeServer {
 public:
  explicit FakeServer(EventLoop& loop) : loop_(loop) {
    event_.bind<&FakeServer::on_connection>(loop, listening_.fd(), IoEvent::kRead, this);
    event_.arm();
  }

  const Address& address() const { return listening_.address(); }
  // Connections are left in the kernel's queue: connects succeed, nobody answers.
  void play_dead() { event_.disarm(); }

  std::vector<std::string> pieces;  // of an answer, each sent some time after the last
  size_t after_bytes = 0;           // of all connections together; nothing is said before
  bool close_afterwards = false;
  bool reset_at_once = false;
  int connections = 0;
  std::string received;  // from all of them
  bool client_closed = false;

 private:
  struct Connection {
    Connection(FakeServer& of, Fd taken)
        : server(of), fd(std::move(taken)), next(of.loop_, [this] { say(); }) {
      event.bind<&Connection::on_readable>(of.loop_, fd.get(), IoEvent::kRead, this);
      event.arm();
      next.start(std::chrono::milliseconds(1));
    }
    void on_readable() {
      if (receive(fd.get(), server.received) == -EAGAIN) return;
      server.client_closed = true;
      event.disarm();
    }
    void say() {
      if (server.received.size() < server.after_bytes) {
        next.start(std::chrono::milliseconds(1));
      } else if (said < server.pieces.size()) {
        send_some(fd.get(), server.pieces[said++]);
        next.start(std::chrono::milliseconds(1));
      } else if (server.close_afterwards) {
        event.disarm();
        fd.reset();
      }
    }
    FakeServer& server;
    Fd fd;
    IoEvent event;
    Timer next;
    size_t said = 0;
  };

  void on_connection() {
    Fd fd = listening_.try_accept();
    if (!fd) return;
    ++connections;
    if (reset_at_once) return set_reset_on_close(fd.get());
    open_.push_back(std::make_unique<Connection>(*this, std::move(fd)));
  }

  EventLoop& loop_;
  Listening listening_{own_loopback().c_str()};
  IoEvent event_;
  std::vector<std::unique_ptr<Connection>> open_;
};

}  // namespace lb
