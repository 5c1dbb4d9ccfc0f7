// SPDX-License-Identifier: MIT
// The floor for datagrams: the cheapest relay that is still correct, without configuration, limits,
// timeouts or counters. Raw epoll, one thread, flows kept for ever. Batches on the clients' side,
// plain calls on the servers', runs of equal sizes leave by UDP_SEGMENT.
#include <algorithm>
#include <memory>
#include <unordered_map>

#include "datagrams.h"

namespace lb::bench {
namespace {

constexpr unsigned kBurst = 64;  // replies of one flow taken in a turn

struct Flow {
  int fd = -1;
  sockaddr_in client{};
  unsigned burst = 1;  // as many were there the last time, and perhaps more
};

class Relay {
 public:
  Relay(const sockaddr_in& listen, const sockaddr_in& server, unsigned ports)
      : listener_(bind_datagrams(listen)),
        server_(server),
        ports_(ports),
        replies_(listener_, true) {
    watch(epoll_, EPOLL_CTL_ADD, listener_, EPOLLIN, nullptr);
  }

  [[noreturn]] void run() {
    epoll_event events[256];
    for (;;) {
      const int count = epoll_wait(epoll_, events, 256, -1);
      for (int i = 0; i < count; ++i) {
        if (events[i].data.ptr == nullptr) {
          to_servers();
        } else {
          to_client(*static_cast<Flow*>(events[i].data.ptr));
        }
      }
      replies_.flush();
    }
  }

 private:
  Flow& flow_of(const sockaddr_in& client) {
    const uint64_t key = uint64_t{client.sin_addr.s_addr} << 16 | client.sin_port;
    std::unique_ptr<Flow>& flow = flows_[key];
    if (flow) return *flow;
    flow = std::make_unique<Flow>();
    flow->client = client;
    flow->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const sockaddr_in to = with_port_offset(server_, next_++ % ports_);
    if (flow->fd < 0 || connect(flow->fd, as_sockaddr(to), sizeof to) != 0) die_errno("connect");
    watch(epoll_, EPOLL_CTL_ADD, flow->fd, EPOLLIN, flow.get());
    return *flow;
  }

  // What follows one another for one flow leaves together.
  void to_servers() {
    unsigned count = 0;
    do {
      count = arrivals_.receive(listener_);
      for (unsigned i = 0; i < count;) {
        Flow& flow = flow_of(arrivals_.peer(i));
        unsigned end = i + 1;
        while (end < count && arrivals_.same_peer(i, end) && arrivals_.goes_along(i, end)) ++end;
        arrivals_.forward(flow.fd, i, end);
        i = end;
      }
    } while (count == Arrivals::kMost);
  }

  void to_client(Flow& flow) {
    unsigned taken = 0;
    for (; taken < flow.burst; ++taken) {
      const ssize_t got = recv(flow.fd, replies_.room(), kMaxDatagram, 0);
      if (got < 0) break;
      replies_.add(flow.client, static_cast<size_t>(got));
    }
    flow.burst = taken < flow.burst ? 1 : std::min(2 * flow.burst, kBurst);
  }

  int epoll_ = make_epoll();
  int listener_;
  sockaddr_in server_;
  unsigned ports_;
  unsigned next_ = 0;
  Arrivals arrivals_;
  Departures replies_;
  std::unordered_map<uint64_t, std::unique_ptr<Flow>> flows_;
};

}  // namespace
}  // namespace lb::bench

int main(int argc, char** argv) {
  lb::bench::run_relay<lb::bench::Relay>(argc, argv);
}
