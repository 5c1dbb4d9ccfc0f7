// SPDX-License-Identifier: MIT
#include "net/socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>

#include "../loopback.h"

namespace lb {
namespace {

using testing::HasSubstr;
using testing::Not;

bool has_ipv6() {
  Fd fd(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  Address loopback = *Address::parse("[::1]:0");
  return fd && bind(fd.get(), loopback.data(), loopback.length()) == 0;
}

Address loopback(uint16_t port = 0) {
  return *Address::parse_ip("127.0.0.1", port);
}

// Connects, with patience; 0 or the errno.
int try_connect(const Address& address, const Address* source = nullptr, Fd* keep = nullptr) {
  auto fd = connect_stream(address, source);
  if (!fd) return fd.error();
  int state = EINPROGRESS;
  pollfd waiting{.fd = fd->get(), .events = POLLOUT, .revents = 0};
  if (poll(&waiting, 1, 20'000) == 1) state = connect_state(fd->get());
  if (keep) *keep = std::move(*fd);
  return state;
}

// A directory for socket files, removed with them.
class SocketFiles : public testing::Test {
 protected:
  SocketFiles() {
    char name[] = "/tmp/lb-socket-test-XXXXXX";
    directory_ = mkdtemp(name);
  }
  ~SocketFiles() override {
    unlink(path().c_str());
    rmdir(directory_.c_str());
  }
  std::string path() const { return directory_ + "/x.sock"; }
  Address address() const { return *Address::parse("unix:" + path()); }

  std::string directory_;
};

TEST(ListenStream, ListensWithoutBlockingAndWithoutNagle) {
  auto fd = listen_stream(loopback(), {});
  ASSERT_TRUE(fd);
  EXPECT_TRUE(fcntl(fd->get(), F_GETFL) & O_NONBLOCK);
  EXPECT_TRUE(fcntl(fd->get(), F_GETFD) & FD_CLOEXEC);
  EXPECT_EQ(option(fd->get(), SOL_SOCKET, SO_ACCEPTCONN), 1);
  EXPECT_EQ(option(fd->get(), IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(fd->get(), SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(try_connect(local_address(fd->get())), 0);
}

TEST(ListenStream, WhatIsAcceptedInheritsItsSettings) {
  ListenOptions options{.keepalive = Keepalive{.idle_s = 30, .interval_s = 5, .count = 4}};
  auto listening = listen_stream(loopback(), options);
  ASSERT_TRUE(listening);
  Fd client = connect_to(local_address(listening->get()));
  ASSERT_TRUE(wait_readable(listening->get()));
  Fd accepted(accept(listening->get(), nullptr, nullptr));
  ASSERT_TRUE(accepted);
  EXPECT_EQ(option(accepted.get(), IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(accepted.get(), SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(accepted.get(), IPPROTO_TCP, TCP_KEEPIDLE), 30);
  EXPECT_EQ(option(accepted.get(), IPPROTO_TCP, TCP_KEEPINTVL), 5);
  EXPECT_EQ(option(accepted.get(), IPPROTO_TCP, TCP_KEEPCNT), 4);
  EXPECT_EQ(option(accepted.get(), IPPROTO_TCP, TCP_USER_TIMEOUT), 50'000);
}

TEST(ListenStream, AGroupSharesAPortAndAStrangerMayNotJoin) {
  auto first = listen_stream(loopback(), {.reuse_port = true});
  ASSERT_TRUE(first);
  Address address = local_address(first->get());
  EXPECT_TRUE(listen_stream(address, {.reuse_port = true}));
  auto stranger = listen_stream(address, {});
  ASSERT_FALSE(stranger);
  EXPECT_THAT(stranger.error().message, HasSubstr(address.to_string()));
  EXPECT_THAT(stranger.error().message, HasSubstr("another process listens there"));
}

TEST(ListenStream, SaysWhatIsWrongWithAnAddress) {
  auto elsewhere = listen_stream(*Address::parse("192.0.2.1:0"), {});
  ASSERT_FALSE(elsewhere);
  EXPECT_THAT(elsewhere.error().message, HasSubstr("192.0.2.1"));
  EXPECT_THAT(elsewhere.error().message, HasSubstr("this machine has no such address"));
  auto nowhere = listen_stream(*Address::parse("unix:/no/such/directory/x.sock"), {});
  ASSERT_FALSE(nowhere);
  EXPECT_THAT(nowhere.error().message, HasSubstr("No such file"));
}

TEST(ListenStream, DualStackTakesBothFamiliesAndV6OnlyOne) {
  if (!has_ipv6()) GTEST_SKIP() << "no IPv6 here";
  for (bool dual_stack : {true, false}) {
    auto fd = listen_stream(Address::any_v6(0), {.dual_stack = dual_stack});
    ASSERT_TRUE(fd) << fd.error().message;
    uint16_t port = local_address(fd->get()).port();
    EXPECT_EQ(try_connect(*Address::parse_ip("::1", port)), 0);
    EXPECT_EQ(try_connect(loopback(port)), dual_stack ? 0 : ECONNREFUSED);
  }
}

TEST_F(SocketFiles, AUnixSocketIsListenedAt) {
  auto fd = listen_stream(address(), {.reuse_port = true});
  ASSERT_TRUE(fd) << fd.error().message;
  EXPECT_EQ(try_connect(address()), 0);
  EXPECT_EQ(local_address(fd->get()), address());
}

TEST_F(SocketFiles, ASocketFileThatNobodyListensAtIsReplaced) {
  ASSERT_TRUE(listen_stream(address(), {}));  // and closed at once; the file stays
  struct stat info {};
  ASSERT_EQ(stat(path().c_str(), &info), 0);
  EXPECT_EQ(try_connect(address()), ECONNREFUSED);
  auto fd = listen_stream(address(), {});
  ASSERT_TRUE(fd) << fd.error().message;
  EXPECT_EQ(try_connect(address()), 0);
}

TEST_F(SocketFiles, ASocketFileInUseIsLeftAlone) {
  auto first = listen_stream(address(), {});
  ASSERT_TRUE(first);
  auto second = listen_stream(address(), {});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("another process listens there"));
  EXPECT_EQ(try_connect(address()), 0);
}

TEST_F(SocketFiles, AFileThatIsNoSocketIsLeftAlone) {
  Fd file(open(path().c_str(), O_CREAT | O_WRONLY, 0600));
  ASSERT_EQ(write(file.get(), "dear", 4), 4);
  EXPECT_FALSE(listen_stream(address(), {}));
  struct stat info {};
  ASSERT_EQ(stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_size, 4);
}

TEST(ProbeFree, FindsAPortThatIsInUse) {
  auto group = listen_stream(loopback(), {.reuse_port = true});
  ASSERT_TRUE(group);
  Address address = local_address(group->get());
  auto taken = probe_free(address, false);
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().message, HasSubstr("another process listens there"));
  EXPECT_FALSE(probe_free(Address::any_v4(address.port()), false)) << "by a wildcard too";
  group->reset();
  EXPECT_TRUE(probe_free(address, false));
  EXPECT_TRUE(listen_stream(address, {})) << "the probe lets go again";
}

TEST(ProbeFree, OldConnectionsDoNotCount) {
  // A server that restarts must not wait for TIME_WAIT.
  auto listening = listen_stream(loopback(), {});
  Address address = local_address(listening->get());
  Fd client = connect_to(address);
  ASSERT_TRUE(wait_readable(listening->get()));
  Fd accepted(accept(listening->get(), nullptr, nullptr));
  listening->reset();
  EXPECT_TRUE(probe_free(address, false));
  accepted.reset();
  client.reset();
  EXPECT_TRUE(probe_free(address, false));
}

TEST(ProbeFree, TellsTheFamiliesApart) {
  if (!has_ipv6()) GTEST_SKIP() << "no IPv6 here";
  auto v4 = listen_stream(Address::any_v4(0), {});
  ASSERT_TRUE(v4);
  uint16_t port = local_address(v4->get()).port();
  EXPECT_TRUE(probe_free(Address::any_v6(port), false));
  EXPECT_FALSE(probe_free(Address::any_v6(port), true)) << "dual stack takes the IPv4 port";
}

TEST(ConnectStream, ConnectsWithoutBlocking) {
  Listening listening;
  Fd fd;
  EXPECT_EQ(try_connect(listening.address(), nullptr, &fd), 0);
  EXPECT_TRUE(fcntl(fd.get(), F_GETFL) & O_NONBLOCK);
  EXPECT_TRUE(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC);
  EXPECT_EQ(option(fd.get(), IPPROTO_TCP, TCP_NODELAY), 0) << "set before the second write only";
}

TEST(ConnectStream, ComesFromItsSourceAddress) {
  Listening listening;
  Address source = *Address::parse("127.0.0.77:0");
  Fd fd;
  ASSERT_EQ(try_connect(listening.address(), &source, &fd), 0);
  Address local = local_address(fd.get());
  EXPECT_EQ(local.ip_string(), "127.0.0.77");
  EXPECT_NE(local.port(), 0);
}

TEST(ConnectStream, ManyFromOneSourceShareAPortWhenTheServersDiffer) {
  // The port is chosen with the server in view, so 4-tuples are what is limited.
  Address source = *Address::parse("127.0.0.77:0");
  Listening listening;
  auto fd = connect_stream(listening.address(), &source);
  ASSERT_TRUE(fd);
  EXPECT_EQ(option(fd->get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT), 1);
}

TEST(ConnectStream, ASourceOfTheOtherFamilyIsIgnored) {
  Listening listening;
  Address source = *Address::parse("[::1]:0");
  EXPECT_EQ(try_connect(listening.address(), &source), 0);
}

TEST(ConnectStream, ASourceThatIsNotOursIsAnError) {
  Listening listening;
  Address source = *Address::parse("192.0.2.1:0");
  auto fd = connect_stream(listening.address(), &source);
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error(), EADDRNOTAVAIL);
}

TEST(ConnectStream, AnIpv6SourceWorksToo) {
  if (!has_ipv6()) GTEST_SKIP() << "no IPv6 here";
  Listening listening("::1");
  Address source = *Address::parse("[::1]:0");
  EXPECT_EQ(try_connect(listening.address(), &source), 0);
}

TEST(ConnectStream, WithDataToFollowStillConnects) {
  Listening listening;
  auto fd = connect_stream(listening.address(), nullptr, true);
  ASSERT_TRUE(fd);
  Fd accepted = listening.accept();
  EXPECT_EQ(send_some(fd->get(), "hello"), 5u);
  ASSERT_TRUE(wait_readable(accepted.get()));
  std::string bytes;
  receive(accepted.get(), bytes);
  EXPECT_EQ(bytes, "hello");
}

TEST_F(SocketFiles, AUnixServerConnectsAtOnceOrFailsAtOnce) {
  auto missing = connect_stream(address(), nullptr);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error(), ENOENT);
  auto listening = listen_stream(address(), {});
  auto fd = connect_stream(address(), nullptr);
  ASSERT_TRUE(fd);
  EXPECT_EQ(connect_state(fd->get()), 0);
}

TEST(ConnectStream, OutOfDescriptorsIsAnErrno) {
  Address address = refusing_address();
  NoDescriptors none;
  auto fd = connect_stream(address, nullptr);
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error(), EMFILE);
}

TEST(ConnectState, TellsTheFateOfAConnect) {
  EXPECT_EQ(try_connect(refusing_address()), ECONNREFUSED);
  // A full queue of a listener that accepts nothing drops the handshake: it stays under way.
  Listening full("127.0.0.1", 0);
  Fd queued = connect_to(full.address());
  ASSERT_TRUE(wait_readable(full.fd()));
  Fd pending = connect_to(full.address());
  EXPECT_EQ(connect_state(pending.get()), EINPROGRESS);
  EXPECT_EQ(connect_state(queued.get()), 0);
}

TEST(SetResetOnClose, MakesAnAbortOfAClose) {
  auto [near, far] = tcp_pair();
  set_reset_on_close(near.get());
  near.reset();
  ASSERT_TRUE(wait_readable(far.get()));
  std::string bytes;
  EXPECT_EQ(receive(far.get(), bytes), -ECONNRESET);
}

TEST(SetKeepalive, MayBeTakenBack) {
  auto [near, far] = tcp_pair();
  set_keepalive(near.get(), {.idle_s = 60, .interval_s = 10, .count = 6});
  EXPECT_EQ(option(near.get(), SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(near.get(), IPPROTO_TCP, TCP_USER_TIMEOUT), 120'000);
  clear_keepalive(near.get());
  EXPECT_EQ(option(near.get(), SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(option(near.get(), IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
}

TEST(SetKeepalive, AVeryLongOneDoesNotOverflow) {
  auto [near, far] = tcp_pair();
  set_keepalive(near.get(), {.idle_s = 32'767, .interval_s = 32'767, .count = 127});
  EXPECT_EQ(option(near.get(), IPPROTO_TCP, TCP_USER_TIMEOUT), INT32_MAX);
}

TEST(LocalAddress, IsEmptyForWhatIsNoSocket) {
  EXPECT_TRUE(local_address(-1).empty());
}

}  // namespace
}  // namespace lb
