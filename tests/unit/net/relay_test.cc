// SPDX-License-Identifier: MIT
#include "net/relay.h"

#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <csignal>
#include <optional>
#include <string>

#include "../loopback.h"

namespace lb {
namespace {

using Outcome = Relay::Outcome;
constexpr size_t kScratch = RelayTools::kScratchSize;

enum class Transport { tcp, local };

// A sender, a relay and a receiver on one loop; the sender and the receiver are the test.
class RelayRig {
 public:
  explicit RelayRig(size_t pipes = 4, Transport transport = Transport::tcp) : tools(loop, pipes) {
    signal(SIGPIPE, SIG_IGN);  // splice(2) knows no MSG_NOSIGNAL
    auto pair = [&] { return transport == Transport::tcp ? tcp_pair() : unix_pair(); };
    std::tie(sender, from.fd) = pair();
    std::tie(to.fd, receiver) = pair();
    int room = 2'000'000;  // as much as the kernel allows
    if (transport == Transport::local) {
      setsockopt(sender.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
      setsockopt(to.fd.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    }
    from.readable.bind<&RelayRig::on_readable>(loop, from.fd.get(), IoEvent::kRead, this);
    to.writable.bind<&RelayRig::on_writable>(loop, to.fd.get(), IoEvent::kWrite, this);
    from.readable.arm();
  }
  ~RelayRig() { relay.release(tools); }

  // Sends all of `bytes` while the receiver takes `received`, until that has grown by as much.
  bool pass(std::string_view bytes) {
    size_t goal = received.size() + bytes.size();
    return run_until(loop, [&] {
      bytes.remove_prefix(send_some(sender.get(), bytes));
      receive(receiver.get(), received);
      return received.size() >= goal;
    });
  }
  // Sends until neither relay nor sockets take more; how much they took.
  size_t fill(std::string_view bytes) {
    size_t sent = 0;
    int still = 0;
    run_until(loop, [&] {
      size_t now = send_some(sender.get(), bytes.substr(sent));
      sent += now;
      still = now > 0 || from.readable.armed() ? 0 : still + 1;
      return still >= 20;
    });
    return sent;
  }
  bool receive_until(size_t size) {
    return run_until(loop, [&] {
      last_receive = receive(receiver.get(), received);
      return received.size() >= size;
    });
  }
  bool run_until_outcome(Outcome expected) {
    return run_until(loop, [&] {
      last_receive = receive(receiver.get(), received);
      return outcome == expected;
    });
  }

  void on_readable() { note(relay.read(from, to, tools)); }
  void on_writable() { note(relay.flush(from, to, tools)); }
  void note(Outcome next) {
    outcome = next;
    if (next == Outcome::open) return;
    ++ends;
    from.readable.disarm();
    to.writable.disarm();
  }

  EventLoop loop;
  RelayTools tools;
  Fd sender;
  Fd receiver;
  Endpoint from;
  Endpoint to;
  Relay relay;
  Outcome outcome = Outcome::open;
  int ends = 0;
  std::string received;
  int last_receive = -EAGAIN;
};

TEST(Relay, CopiesWhatComesAsItComes) {
  RelayRig rig;
  EXPECT_FALSE(rig.relay.wrote());
  std::string all;
  for (size_t size : {1, 5, 1'000, 16'384, 70}) {
    std::string bytes = pattern(size, size);
    all += bytes;
    ASSERT_TRUE(rig.pass(bytes));
  }
  EXPECT_EQ(rig.received, all);
  EXPECT_EQ(rig.relay.bytes(), all.size());
  EXPECT_TRUE(rig.relay.wrote());
  EXPECT_FALSE(rig.relay.has_kept());
  EXPECT_FALSE(rig.relay.splicing());
  EXPECT_TRUE(rig.from.readable.armed());
  EXPECT_FALSE(rig.to.writable.armed());
}

TEST(Relay, TheEndOfTheStreamIsToldOnce) {
  RelayRig rig;
  ASSERT_TRUE(rig.pass("bye"));
  EXPECT_FALSE(rig.relay.finished());
  rig.sender.reset();
  ASSERT_TRUE(rig.run_until_outcome(Outcome::finished));
  EXPECT_TRUE(rig.relay.end_seen());
  EXPECT_TRUE(rig.relay.finished());
  EXPECT_EQ(rig.received, "bye");
  EXPECT_EQ(rig.ends, 1);
}

struct PressureCase {
  const char* name;
  size_t pipes;
  Transport transport;
};

class RelayPressure : public testing::TestWithParam<PressureCase> {};

TEST_P(RelayPressure, StopsReadingWhenTheReceiverTakesNothingAndGoesOnLater) {
  RelayRig rig(GetParam().pipes, GetParam().transport);
  std::string bytes = pattern(24'000'000);
  size_t sent = rig.fill(bytes);
  ASSERT_LT(sent, bytes.size()) << "the sockets take everything: nothing is tested";
  EXPECT_FALSE(rig.from.readable.armed());
  EXPECT_TRUE(rig.to.writable.armed());
  EXPECT_TRUE(rig.relay.has_kept());
  EXPECT_EQ(rig.outcome, Outcome::open);

  ASSERT_TRUE(rig.receive_until(sent));
  EXPECT_TRUE(rig.from.readable.armed());
  ASSERT_TRUE(rig.pass(std::string_view(bytes).substr(sent)));
  EXPECT_TRUE(rig.received == bytes) << "not the bytes that were sent";
  EXPECT_EQ(rig.relay.bytes(), bytes.size());
  EXPECT_FALSE(rig.relay.has_kept());
}

TEST_P(RelayPressure, HoldsNoMoreThanItPromises) {
  RelayRig rig(GetParam().pipes, GetParam().transport);
  std::string bytes = pattern(24'000'000);
  size_t sent = rig.fill(bytes);
  // What the sockets hold beside the relay is the kernel's to say.
  int unread = 0;
  ASSERT_EQ(ioctl(rig.from.fd.get(), FIONREAD, &unread), 0);
  int unsent = 0;
  ASSERT_EQ(ioctl(rig.sender.get(), SIOCOUTQ, &unsent), 0);
  size_t left_relay = rig.relay.bytes();
  ASSERT_GE(sent, left_relay);
  size_t most = GetParam().pipes > 0 ? PipePool::kPipeSize : kScratch;
  if (GetParam().transport == Transport::tcp) {
    EXPECT_LE(sent - left_relay - static_cast<size_t>(unread), most + static_cast<size_t>(unsent));
  }
}

TEST_P(RelayPressure, TheEndComesAfterWhatWasKept) {
  RelayRig rig(GetParam().pipes, GetParam().transport);
  std::string bytes = pattern(24'000'000);
  size_t sent = rig.fill(bytes);
  rig.sender.reset();
  EXPECT_TRUE(stays_away(
      rig.loop, [&] { return rig.ends > 0; }, std::chrono::milliseconds(20)));
  EXPECT_FALSE(rig.relay.finished());
  ASSERT_TRUE(rig.run_until_outcome(Outcome::finished));
  EXPECT_TRUE(rig.relay.finished());
  ASSERT_TRUE(rig.receive_until(sent));
  EXPECT_EQ(rig.received.size(), sent);
  EXPECT_TRUE(rig.received == bytes.substr(0, sent));
  EXPECT_EQ(rig.ends, 1);
  EXPECT_EQ(rig.tools.pipes.in_use(), 0u);
}

TEST_P(RelayPressure, AReceiverThatBreaksLeavesTheBytesKept) {
  RelayRig rig(GetParam().pipes, GetParam().transport);
  rig.fill(pattern(24'000'000));
  set_reset_on_close(rig.receiver.get());
  rig.receiver.reset();
  ASSERT_TRUE(run_until(rig.loop, [&] { return rig.outcome == Outcome::write_error; }));
  EXPECT_TRUE(rig.relay.error() == ECONNRESET || rig.relay.error() == EPIPE) << rig.relay.error();
  EXPECT_TRUE(rig.relay.has_kept());
  EXPECT_FALSE(rig.relay.finished());
  rig.relay.release(rig.tools);
  EXPECT_EQ(rig.tools.pipes.in_use(), 0u);
}

TEST_P(RelayPressure, BulkPassesExactly) {
  RelayRig rig(GetParam().pipes, GetParam().transport);
  std::string bytes = pattern(20'000'000, 7);
  ASSERT_TRUE(rig.pass(bytes));
  EXPECT_TRUE(rig.received == bytes) << "not the bytes that were sent";
  EXPECT_EQ(rig.relay.bytes(), bytes.size());
}

INSTANTIATE_TEST_SUITE_P(Rows, RelayPressure,
                         testing::Values(PressureCase{"TcpSplicing", 4, Transport::tcp},
                                         PressureCase{"TcpCopying", 0, Transport::tcp},
                                         PressureCase{"UnixSplicing", 4, Transport::local},
                                         PressureCase{"UnixCopying", 0, Transport::local}),
                         [](const auto& row) { return row.param.name; });

// Makes `rig` splice; what it needs for that is bulk that is there at once, which unix sockets
// hold. Everything that was sent has arrived then.
void make_it_splice(RelayRig& rig) {
  size_t goal = rig.received.size();
  goal += send_some(rig.sender.get(), pattern(1'000'000));
  ASSERT_GT(goal, 3 * kScratch) << "this kernel's socket buffers are too small";
  ASSERT_TRUE(rig.receive_until(goal));
}

TEST(Relay, GoesOnBySpliceForBulkAndComesBackForSmallMessages) {
  RelayRig rig(4, Transport::local);
  make_it_splice(rig);
  ASSERT_TRUE(rig.relay.splicing());
  EXPECT_EQ(rig.tools.pipes.in_use(), 1u);
  int small = 0;
  while (rig.relay.splicing() && small < 30) {
    std::string message = pattern(100, static_cast<uint64_t>(small));
    size_t before = rig.received.size();
    ASSERT_TRUE(rig.pass(message));
    ASSERT_TRUE(rig.received.substr(before) == message) << "a small message";
    ++small;
  }
  EXPECT_FALSE(rig.relay.splicing());
  EXPECT_GE(small, 2) << "one small read in between is no reason to leave";
  EXPECT_EQ(rig.tools.pipes.in_use(), 0u);
  ASSERT_TRUE(rig.pass("copied again"));
  EXPECT_TRUE(rig.received.ends_with("copied again"));
}

TEST(Relay, MayBeginToSpliceAgain) {
  RelayRig rig(4, Transport::local);
  for (int round = 0; round < 2; ++round) {
    make_it_splice(rig);
    ASSERT_TRUE(rig.relay.splicing()) << round;
    for (int i = 0; i < 40 && rig.relay.splicing(); ++i) ASSERT_TRUE(rig.pass("x"));
    ASSERT_FALSE(rig.relay.splicing()) << round;
  }
}

TEST(Relay, GivesItsPipeBackAtTheEndAndAtAnError) {
  for (bool by_reset : {false, true}) {
    RelayRig rig(4, Transport::local);
    make_it_splice(rig);
    ASSERT_TRUE(rig.relay.splicing());
    // A unix socket that closes with something unread is a broken one.
    if (by_reset) send_some(rig.from.fd.get(), "unread");
    rig.sender.reset();
    ASSERT_TRUE(rig.run_until_outcome(by_reset ? Outcome::read_error : Outcome::finished));
    EXPECT_EQ(rig.tools.pipes.in_use(), 0u);
    EXPECT_FALSE(rig.relay.splicing());
  }
}

TEST(Relay, ASilentStreamGivesItsPipeBack) {
  RelayRig rig(4, Transport::local);
  for (int round = 0; round < 2; ++round) {
    make_it_splice(rig);
    ASSERT_TRUE(rig.relay.splicing()) << round;
    EXPECT_TRUE(run_until(rig.loop, [&] { return !rig.relay.splicing(); })) << round;
    EXPECT_EQ(rig.tools.pipes.in_use(), 0u);
    ASSERT_TRUE(rig.pass("copied")) << round;
    EXPECT_TRUE(rig.received.ends_with("copied"));
  }
}

TEST(Relay, SeveralShareAnExhaustedPipePool) {
  RelayRig rig(1, Transport::local);
  auto taken = rig.tools.pipes.take();
  ASSERT_TRUE(taken);
  make_it_splice(rig);
  EXPECT_FALSE(rig.relay.splicing());
  rig.tools.pipes.give_back(std::move(taken));
  make_it_splice(rig);
  EXPECT_TRUE(rig.relay.splicing()) << "as soon as there is one";
}

TEST(Relay, ASenderThatBreaksIsAReadError) {
  RelayRig rig;
  ASSERT_TRUE(rig.pass("x"));
  set_reset_on_close(rig.sender.get());
  rig.sender.reset();
  ASSERT_TRUE(rig.run_until_outcome(Outcome::read_error));
  EXPECT_EQ(rig.relay.error(), ECONNRESET);
  EXPECT_FALSE(rig.relay.finished());
}

TEST(Relay, AReceiverThatIsGoneIsAWriteErrorThatKeepsTheBytes) {
  RelayRig rig;
  set_reset_on_close(rig.receiver.get());
  rig.receiver.reset();
  send_some(rig.sender.get(), "lost");
  ASSERT_TRUE(run_until(rig.loop, [&] { return rig.outcome == Outcome::write_error; }));
  EXPECT_TRUE(rig.relay.error() == ECONNRESET || rig.relay.error() == EPIPE) << rig.relay.error();
  EXPECT_TRUE(rig.relay.has_kept());
  EXPECT_FALSE(rig.relay.wrote());
  EXPECT_EQ(rig.relay.bytes(), 0u);
}

// What was kept at a failed write goes to the next receiver: a session tries another server.
TEST(Relay, WhatOneReceiverRefusedAnotherGets) {
  RelayRig rig;
  set_reset_on_close(rig.receiver.get());
  rig.receiver.reset();
  send_some(rig.sender.get(), "once and whole");
  ASSERT_TRUE(run_until(rig.loop, [&] { return rig.outcome == Outcome::write_error; }));
  rig.to.close();
  std::tie(rig.to.fd, rig.receiver) = tcp_pair();
  rig.to.writable.bind<&RelayRig::on_writable>(rig.loop, rig.to.fd.get(), IoEvent::kWrite, &rig);
  rig.to.writable.arm();
  EXPECT_TRUE(rig.receive_until(14));
  EXPECT_EQ(rig.received, "once and whole");
  EXPECT_EQ(rig.relay.bytes(), 14u);
  EXPECT_TRUE(rig.from.readable.armed());
}

TEST(Relay, PushedBytesGoFirstAndOnlyTheSendersCount) {
  struct Row {
    std::string own;
    std::string senders;
  };
  const Row rows[] = {
      {"PROXY header ", "first bytes "},
      {"PROXY header ", ""},
      {"", "first bytes "},
  };
  for (const Row& row : rows) {
    RelayRig rig;
    rig.relay.push(row.own, false);
    rig.relay.push(row.senders, true);
    EXPECT_TRUE(rig.relay.has_kept());
    send_some(rig.sender.get(), "and more");
    rig.note(rig.relay.flush(rig.from, rig.to, rig.tools));
    ASSERT_TRUE(rig.receive_until(row.own.size() + row.senders.size() + 8));
    EXPECT_EQ(rig.received, row.own + row.senders + "and more");
    EXPECT_EQ(rig.relay.bytes(), row.senders.size() + 8);
  }
}

TEST(Relay, PushingNothingKeepsNothing) {
  RelayRig rig;
  rig.relay.push("", false);
  rig.relay.push("", true);
  EXPECT_FALSE(rig.relay.has_kept());
}

TEST(Relay, PushedBytesThatLeaveInPiecesAreCountedRightly) {
  RelayRig rig(4, Transport::local);
  int room = 50'000;
  setsockopt(rig.to.fd.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
  std::string own = pattern(300'000, 1);
  std::string senders = pattern(300'000, 2);
  rig.relay.push(own, false);
  rig.relay.push(senders, true);
  rig.note(rig.relay.flush(rig.from, rig.to, rig.tools));
  EXPECT_TRUE(rig.relay.has_kept()) << "it left in one piece: nothing is tested";
  EXPECT_EQ(rig.relay.bytes(), 0u);
  EXPECT_FALSE(rig.from.readable.armed());
  ASSERT_TRUE(rig.receive_until(600'000));
  EXPECT_TRUE(rig.received == own + senders);
  EXPECT_EQ(rig.relay.bytes(), 300'000u);
}

TEST(Relay, TurnsNagleOffBeforeItsSecondWriteOnly) {
  RelayRig rig;
  rig.to.lacks_nodelay = true;
  auto nodelay = [&] { return option(rig.to.fd.get(), IPPROTO_TCP, TCP_NODELAY); };
  EXPECT_EQ(nodelay(), 0);
  ASSERT_TRUE(rig.pass("one"));
  EXPECT_EQ(nodelay(), 0);
  EXPECT_TRUE(rig.to.lacks_nodelay);
  ASSERT_TRUE(rig.pass("two"));
  EXPECT_EQ(nodelay(), 1);
  EXPECT_FALSE(rig.to.lacks_nodelay);
}

TEST(Relay, LeavesNagleAloneWhereItIsOffAlready) {
  RelayRig rig;
  ASSERT_TRUE(rig.pass("one"));
  ASSERT_TRUE(rig.pass("two"));
  EXPECT_EQ(option(rig.to.fd.get(), IPPROTO_TCP, TCP_NODELAY), 0) << "a call for nothing";
}

TEST(Relay, DoesABoundedAmountOfWorkPerCall) {
  RelayRig rig(0, Transport::local);
  size_t ready = send_some(rig.sender.get(), pattern(1'000'000));
  if (ready <= 5 * kScratch) GTEST_SKIP() << "this kernel's socket buffers are too small";
  EXPECT_EQ(rig.relay.read(rig.from, rig.to, rig.tools), Outcome::open);
  EXPECT_GT(rig.relay.bytes(), 0u);
  EXPECT_LE(rig.relay.bytes(), 4 * kScratch);
  EXPECT_TRUE(rig.from.readable.armed() || rig.relay.has_kept());
  ASSERT_TRUE(rig.receive_until(ready)) << "the rest comes in later turns";
}

TEST(Endpoint, ClosesItsDescriptorAndStaysQuiet) {
  RelayRig rig;
  send_some(rig.sender.get(), "x");
  int fd = rig.from.fd.get();
  rig.from.close();
  EXPECT_FALSE(rig.from.fd);
  EXPECT_FALSE(rig.from.readable.armed());
  // Another connection that gets the number is not mistaken for the old one.
  auto [near, far] = tcp_pair();
  EXPECT_TRUE(near.get() == fd || far.get() == fd);
  send_some(near.get(), "x");
  send_some(far.get(), "x");
  EXPECT_TRUE(stays_away(
      rig.loop, [&] { return rig.relay.bytes() > 0; }, std::chrono::milliseconds(10)));
}

TEST(Endpoint, ClosesWithoutAComplaintWhateverIsArmed) {
  EventLoop first;  // which sets a callback, too
  static int complaints;
  complaints = 0;
  event_set_log_callback([](int, const char*) { ++complaints; });
  for (int armed = 0; armed < 4; ++armed) {
    RelayRig rig;
    rig.from.writable.bind<&RelayRig::on_writable>(rig.loop, rig.from.fd.get(), IoEvent::kWrite,
                                                   &rig);
    rig.from.readable.disarm();
    if (armed & 1) rig.from.readable.arm();
    if (armed & 2) rig.from.writable.arm();
    rig.from.close();
    EXPECT_FALSE(rig.from.readable.armed() || rig.from.writable.armed());
  }
  event_set_log_callback(nullptr);
  EXPECT_EQ(complaints, 0) << "each would be a line on stderr";
}

}  // namespace
}  // namespace lb
