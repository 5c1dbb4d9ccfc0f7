// SPDX-License-Identifier: MIT
// The floor: the cheapest TCP relay that is still correct, without configuration, limits, timeouts,
// counters or a choice of server. Raw epoll, one thread. What a balancer costs above it is its own.
#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "sockets.h"

namespace lb::bench {
namespace {

constexpr size_t kScratchSize = 64 * 1024;
constexpr int kPipeSize = 1 << 20;
constexpr int kReadsPerTurn = 4;
constexpr int kAcceptsPerTurn = 64;
// A direction that fills the scratch buffer this often in a row is spliced; it is copied again when
// small splices outweigh large ones.
constexpr int kFullReadsBeforeSplice = 4;
constexpr int kMostCredit = 16;
constexpr ssize_t kSmallSplice = 16 * 1024;

struct Pair;

// One socket of a pair, and the direction of bytes that starts at it.
struct End {
  Pair* pair = nullptr;
  End* other = nullptr;
  int fd = -1;
  uint32_t armed = 0;  // the events epoll watches for
  bool eof = false;
  bool eof_passed = false;
  int full_reads = 0;
  std::vector<char> held{};  // read here, refused by the other socket
  int pipe[2] = {-1, -1};
  size_t in_pipe = 0;
};

struct Pair {
  End client, server;
  bool closed = false;
};

class Relay {
 public:
  Relay(const sockaddr_in& listen, const sockaddr_in& server, unsigned ports)
      : listener_(listen_on(listen)), server_(server), ports_(ports) {
    watch(epoll_, EPOLL_CTL_ADD, listener_, EPOLLIN, nullptr);
  }

  [[noreturn]] void run() {
    epoll_event events[256];
    for (;;) {
      const int count = epoll_wait(epoll_, events, 256, -1);
      for (int i = 0; i < count; ++i) {
        if (events[i].data.ptr == nullptr) {
          accept_some();
        } else {
          on_event(*static_cast<End*>(events[i].data.ptr), events[i].events);
        }
      }
      finished_.clear();  // not earlier: later events of this turn may point into them
    }
  }

 private:
  void accept_some() {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      const int client = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (client < 0) return;
      const int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (server < 0) die_errno("socket");
      set_option(server, IPPROTO_TCP, TCP_NODELAY, 1);
      const sockaddr_in to = with_port_offset(server_, next_++ % ports_);
      if (connect(server, as_sockaddr(to), sizeof to) != 0 && errno != EINPROGRESS) {
        die_errno("connect");
      }
      auto* pair = new Pair;
      pair->client = {.pair = pair, .other = &pair->server, .fd = client, .armed = EPOLLIN};
      pair->server = {.pair = pair, .other = &pair->client, .fd = server, .armed = EPOLLIN};
      watch(epoll_, EPOLL_CTL_ADD, client, EPOLLIN, &pair->client);
      watch(epoll_, EPOLL_CTL_ADD, server, EPOLLIN, &pair->server);
    }
  }

  void on_event(End& end, uint32_t events) {
    Pair& pair = *end.pair;
    if (pair.closed) return;
    if ((events & EPOLLERR) != 0) return close_pair(pair);
    if ((events & EPOLLOUT) != 0 && !pump(*end.other)) return close_pair(pair);
    if ((events & (EPOLLIN | EPOLLHUP)) != 0 && !pump(end)) return close_pair(pair);
    arm(pair.client);
    arm(pair.server);
  }

  static bool holds(const End& from) { return from.in_pipe > 0 || !from.held.empty(); }

  // An end is watched for exactly what can make progress. For nothing means not at all: epoll
  // reports EPOLLHUP, which both shutdowns together raise, even to those who asked for nothing.
  void arm(End& end) {
    const uint32_t read = end.eof || holds(end) ? 0 : uint32_t{EPOLLIN};
    const uint32_t write = holds(*end.other) ? uint32_t{EPOLLOUT} : 0;
    if (end.armed == (read | write)) return;
    const bool was_watched = end.armed != 0;
    end.armed = read | write;
    const int change = end.armed == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    watch(epoll_, was_watched ? change : EPOLL_CTL_ADD, end.fd, end.armed, &end);
  }

  // Moves bytes from one socket to the other; false when the pair is over.
  bool pump(End& from) {
    if (!flush(from)) return false;
    for (int i = 0; i < kReadsPerTurn && !from.eof && !holds(from); ++i) {
      const bool splicing = from.full_reads >= kFullReadsBeforeSplice;
      const ssize_t got = splicing ? splice_once(from) : copy_once(from);
      if (got < 0) {
        if (errno == EAGAIN) break;
        return false;
      }
      if (got == 0) from.eof = true;
      if (!flush(from)) return false;
      if (!splicing && static_cast<size_t>(got) < kScratchSize) break;
    }
    if (from.eof && !from.eof_passed && !holds(from)) {
      from.eof_passed = true;
      if (from.other->eof_passed) return false;  // both sides are done: close says the rest
      shutdown(from.other->fd, SHUT_WR);
    }
    return true;
  }

  ssize_t copy_once(End& from) {
    const ssize_t got = recv(from.fd, scratch_.data(), kScratchSize, 0);
    if (got <= 0) return got;
    from.full_reads = static_cast<size_t>(got) == kScratchSize ? from.full_reads + 1 : 0;
    ssize_t sent = send(from.other->fd, scratch_.data(), static_cast<size_t>(got), MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) sent = 0;  // also while the server's connect is under way
    if (sent < 0) {
      errno = EPIPE;
      return -1;
    }
    from.held.assign(scratch_.data() + sent, scratch_.data() + got);
    return got;
  }

  ssize_t splice_once(End& from) {
    if (from.pipe[0] < 0) take_pipe(from);
    const ssize_t got = splice(from.fd, nullptr, from.pipe[1], nullptr, kPipeSize,
                               SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (got > 0) from.in_pipe = static_cast<size_t>(got);
    if (got >= kSmallSplice) from.full_reads = std::min(from.full_reads + 1, kMostCredit);
    if (got > 0 && got < kSmallSplice && --from.full_reads < kFullReadsBeforeSplice) {
      from.full_reads = 0;
    }
    return got;
  }

  // Writes what is held until the other socket refuses it; false on an error.
  bool flush(End& from) {
    while (from.in_pipe > 0) {
      const ssize_t sent = splice(from.pipe[0], nullptr, from.other->fd, nullptr, from.in_pipe,
                                  SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
      if (sent < 0) return errno == EAGAIN;
      from.in_pipe -= static_cast<size_t>(sent);
    }
    if (from.pipe[0] >= 0 && from.full_reads == 0) give_pipe(from);
    if (from.held.empty()) return true;
    const ssize_t sent = send(from.other->fd, from.held.data(), from.held.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    from.held.erase(from.held.begin(), from.held.begin() + sent);
    return true;
  }

  void take_pipe(End& from) {
    if (pipes_.empty()) {
      if (pipe2(from.pipe, O_NONBLOCK | O_CLOEXEC) != 0) die_errno("pipe2");
      fcntl(from.pipe[1], F_SETPIPE_SZ, kPipeSize);  // refused beyond the user's share: stays small
    } else {
      std::copy_n(pipes_.back().begin(), 2, from.pipe);
      pipes_.pop_back();
    }
  }

  void give_pipe(End& from) {
    pipes_.push_back({from.pipe[0], from.pipe[1]});
    from.pipe[0] = from.pipe[1] = -1;
  }

  void close_pair(Pair& pair) {
    pair.closed = true;
    for (End* end : {&pair.client, &pair.server}) {
      close(end->fd);
      if (end->pipe[0] < 0) continue;
      if (end->in_pipe == 0) {
        give_pipe(*end);
      } else {  // a pipe with bytes in it would leak them into another connection
        close(end->pipe[0]);
        close(end->pipe[1]);
      }
    }
    finished_.emplace_back(&pair);
  }

  int epoll_ = make_epoll();
  int listener_;
  sockaddr_in server_;
  unsigned ports_;
  unsigned next_ = 0;
  std::vector<char> scratch_ = std::vector<char>(kScratchSize);
  std::vector<std::array<int, 2>> pipes_;
  std::vector<std::unique_ptr<Pair>> finished_;
};

}  // namespace
}  // namespace lb::bench

int main(int argc, char** argv) {
  lb::bench::run_relay<lb::bench::Relay>(argc, argv);
}
