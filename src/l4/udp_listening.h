// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "common/fd.h"
#include "l4/udp_frontend.h"
#include "net/event_loop.h"

namespace lb {

// One of the listening sockets, and those of an address that is the listener's no more while there
// are sessions that answer from them.
class UdpFrontend::Listening {
 public:
  Listening(UdpFrontend& frontend, std::shared_ptr<const Fd> socket, uint16_t number)
      : frontend_(frontend), socket_(std::move(socket)), number_(number) {
    readable_.bind<&Listening::on_readable>(frontend.worker().loop, fd(), IoEvent::kRead, this);
    readable_.arm();
  }

  int fd() const { return socket_->get(); }
  uint16_t number() const { return number_; }
  const std::shared_ptr<const Fd>& socket() const { return socket_; }
  struct Left {
    int64_t until_ms;      // sessions may answer from it
    bool covered = false;  // another of the listener's sockets is to have its clients
  };
  std::optional<Left> left;  // nothing: the address is the listener's
  void read(bool wanted) {
    if (wanted) {
      readable_.arm();
    } else {
      readable_.disarm();
    }
  }

 private:
  void on_readable() { frontend_.receive(*this); }

  UdpFrontend& frontend_;
  std::shared_ptr<const Fd> socket_;
  IoEvent readable_;
  const uint16_t number_;
};

}  // namespace lb
