// SPDX-License-Identifier: MIT
// The servers behind the proxies for datagrams: send back what they get, each from the port that it
// came to. One thread, one epoll, any number of consecutive ports. No offloading: the datagrams
// come to the proxy one by one, as from most servers.
#include <memory>
#include <vector>

#include "datagrams.h"

namespace lb::bench {
namespace {

struct Port {
  int fd;
  Departures answers;
};

[[noreturn]] void serve(const sockaddr_in& first, unsigned ports) {
  const int epoll = make_epoll();
  std::vector<std::unique_ptr<Port>> all;
  for (unsigned i = 0; i < ports; ++i) {
    const int fd = bind_datagrams(with_port_offset(first, i));
    all.push_back(std::make_unique<Port>(Port{fd, Departures(fd, false)}));
    watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, all.back().get());
  }
  std::puts("listening");
  std::fflush(stdout);
  Arrivals arrivals;
  epoll_event events[64];
  for (;;) {
    const int ready = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < ready; ++i) {
      Port& port = *static_cast<Port*>(events[i].data.ptr);
      const unsigned count = arrivals.receive(port.fd);
      for (unsigned k = 0; k < count; ++k) {
        std::memcpy(port.answers.room(), arrivals.bytes(k), arrivals.size(k));
        port.answers.add(arrivals.peer(k), arrivals.size(k));
      }
      port.answers.flush();
    }
  }
}

}  // namespace
}  // namespace lb::bench

int main(int argc, char** argv) {
  using namespace lb::bench;
  Options options(argc, argv);
  const sockaddr_in first = endpoint(options.text("listen", "127.0.0.1:6000"));
  const auto ports = static_cast<unsigned>(options.number("ports", 1));
  options.finish();
  serve(first, ports);
}
