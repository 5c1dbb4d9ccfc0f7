// SPDX-License-Identifier: MIT
// The clients in front of the proxies for datagrams: one thread, one epoll, a port for each client.
// Every client keeps `window` datagrams under way and sends the next when an answer comes; a unit
// is a datagram that passed the proxy, so an answered one counts twice. What does not come back
// within 100 ms is lost and another takes its place. Every answer is compared with what was sent;
// one that is another client's, comes twice or out of order ends the run with an error.
#include <memory>
#include <vector>

#include "datagrams.h"
#include "meter.h"
#include "pattern.h"

namespace lb::bench {
namespace {

constexpr double kLost_s = 0.1;
constexpr unsigned kBatch = 64;

struct Head {
  uint32_t client;
  uint32_t number;
};

struct Client {
  int fd = -1;
  uint32_t id = 0;
  uint32_t next = 0;      // the number to send
  uint32_t expected = 0;  // the number that comes back next, if none is lost
  uint32_t given_up = 0;  // all before this number may come late
  double active = 0;      // the last answer, or loss
};

class Load {
 public:
  explicit Load(Options& options)
      : target_(endpoint(options.text("target", "127.0.0.1:7000"))),
        size_(options.number("size", 64)),
        window_(static_cast<uint32_t>(options.number("window", 1))),
        clients_(options.number("clients", 1000)),
        meter_(options) {
    options.finish();
    if (size_ < sizeof(Head) || size_ > 1472) die("--size: 8 to 1472");
    for (uint32_t i = 0; i < clients_.size(); ++i) open(clients_[i], i);
    bytes_ = std::make_unique<char[]>(kBatch * size_);
  }

  void run() {
    // All at once would be a burst of new sessions that no proxy expects: some at a time.
    for (Client& client : clients_) {
      send(client, window_);
      receive_all(0);
    }
    while (meter_.running(units_)) {
      receive_all(20);
      give_up_lost();
    }
    meter_.print(units_, lost_);
  }

 private:
  void open(Client& client, uint32_t id) {
    client.id = id;
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client.fd = bind_datagrams(any);
    if (connect(client.fd, as_sockaddr(target_), sizeof target_) != 0) die_errno("connect");
    watch(epoll_, EPOLL_CTL_ADD, client.fd, EPOLLIN, &client);
    client.active = wall_s();
  }

  void receive_all(int wait_ms) {
    epoll_event events[256];
    const int count = epoll_wait(epoll_, events, 256, wait_ms);
    now_ = wall_s();
    for (int i = 0; i < count; ++i) receive(*static_cast<Client*>(events[i].data.ptr));
  }

  void receive(Client& client) {
    uint32_t count = 0;
    if (window_ == 1) {
      const ssize_t got = recv(client.fd, one_, sizeof one_, MSG_DONTWAIT);
      if (got < 0) return;
      check(client, one_, static_cast<size_t>(got));
      count = 1;
    } else {
      count = arrivals_.receive(client.fd);
      for (uint32_t i = 0; i < count; ++i) check(client, arrivals_.bytes(i), arrivals_.size(i));
    }
    units_ += 2 * count;
    send(client, window_ - (client.next - client.expected));
  }

  void check(Client& client, const char* bytes, size_t size) {
    Head head{};
    if (size != size_) die("an answer of another size");
    std::memcpy(&head, bytes, sizeof head);
    if (head.client != client.id) die("an answer for another client");
    const uint32_t skipped = head.number - client.expected;
    if (skipped >= client.next - client.expected) {
      // Only what was given up may come late.
      if (head.number - client.given_up < kMostUnderWay) die("an answer twice or out of order");
      return;
    }
    if (!pattern_.matches(offset(head), bytes + sizeof head, size - sizeof head)) {
      die("wrong bytes came back");
    }
    lost_ += skipped;
    client.expected = head.number + 1;
    client.active = now_;
  }

  static uint64_t offset(const Head& head) { return uint64_t{head.client} * 7919 + head.number; }

  void send(Client& client, uint32_t count) {
    while (count > 0) {
      const uint32_t now = std::min(count, kBatch);
      for (uint32_t i = 0; i < now; ++i) {
        char* bytes = bytes_.get() + i * size_;
        const Head head{client.id, client.next++};
        std::memcpy(bytes, &head, sizeof head);
        copy(offset(head), bytes + sizeof head, size_ - sizeof head);
        vectors_[i] = {bytes, size_};
        messages_[i] = {};
        messages_[i].msg_hdr.msg_iov = &vectors_[i];
        messages_[i].msg_hdr.msg_iovlen = 1;
      }
      // What the kernel refuses is lost like any other.
      if (now == 1) {
        ::send(client.fd, bytes_.get(), size_, MSG_NOSIGNAL);
      } else {
        sendmmsg(client.fd, messages_, now, MSG_NOSIGNAL);
      }
      count -= now;
    }
  }

  void copy(uint64_t at, char* to, size_t size) const {
    while (size > 0) {
      const Pattern::Piece piece = pattern_.at(at);
      const size_t part = std::min(size, piece.size);
      std::memcpy(to, piece.data, part);
      at += part;
      to += part;
      size -= part;
    }
  }

  void give_up_lost() {
    if (now_ - looked_ < kLost_s / 4) return;
    looked_ = now_;
    for (Client& client : clients_) {
      if (now_ - client.active < kLost_s) continue;
      lost_ += client.next - client.expected;
      client.expected = client.given_up = client.next;
      client.active = now_;
      send(client, window_);
    }
  }

  static constexpr uint32_t kMostUnderWay = 1U << 31;

  sockaddr_in target_;
  size_t size_;
  uint32_t window_;
  std::vector<Client> clients_;
  Meter meter_;
  int epoll_ = make_epoll();
  Pattern pattern_;
  Arrivals arrivals_;
  std::unique_ptr<char[]> bytes_;
  mmsghdr messages_[kBatch];
  iovec vectors_[kBatch];
  char one_[2048];
  double now_ = 0;
  double looked_ = 0;
  uint64_t units_ = 0;
  uint64_t lost_ = 0;
};

}  // namespace
}  // namespace lb::bench

int main(int argc, char** argv) {
  using namespace lb::bench;
  Options options(argc, argv);
  Load(options).run();
}
