// SPDX-License-Identifier: MIT
#include "net/stream.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "tls_rig.h"

namespace lb {
namespace {

// The same words over plain sockets and over TLS.
class StreamTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      ASSERT_TRUE(rig.connect()) << rig.client.reason() << " / " << rig.server.reason();
    } else {
      auto [a, b] = TlsRig::stream_pair();
      rig.client = Stream(std::move(a));
      rig.server = Stream(std::move(b));
    }
  }
  TlsRig rig;
};

TEST_P(StreamTest, ReadsWhatTheOtherEndWrote) {
  EXPECT_EQ(rig.client.write("hello").bytes, 5u);
  EXPECT_EQ(TlsRig::read_all(rig.server), "hello");
  EXPECT_EQ(rig.server.write("and back").bytes, 8u);
  EXPECT_EQ(TlsRig::read_all(rig.client), "and back");
}

TEST_P(StreamTest, AReadOfAnEmptyStreamWantsToRead) {
  std::array<char, 16> block;
  EXPECT_EQ(rig.server.read(block).outcome, Outcome::wants_read);
  EXPECT_FALSE(rig.server.has_pending());
}

TEST_P(StreamTest, SeveralPiecesArriveInTheirOrder) {
  std::string head = "head ", large(50'000, 'x'), tail = " tail";
  std::array<iovec, 4> pieces{{{head.data(), head.size()},
                               {nullptr, 0},
                               {large.data(), large.size()},
                               {tail.data(), tail.size()}}};
  EXPECT_EQ(rig.client.writev(pieces).bytes, head.size() + large.size() + tail.size());
  EXPECT_EQ(TlsRig::read_all(rig.server), head + large + tail);
}

TEST_P(StreamTest, AFullSocketTakesTheRestLater) {
  std::string bytes;
  for (int i = 0; bytes.size() < 4'000'000; ++i) bytes += std::to_string(i) + " ";
  size_t written = 0;
  std::string received;
  int blocked = 0;
  while (written < bytes.size()) {
    // At another address each time, as from a buffer that moves.
    std::string offered = bytes.substr(written, 100'000);
    std::array<iovec, 2> pieces{
        {{offered.data(), offered.size() / 2},
         {offered.data() + offered.size() / 2, offered.size() - offered.size() / 2}}};
    Transfer transfer = rig.client.writev(pieces);
    if (transfer.outcome == Outcome::done) {
      written += transfer.bytes;
      continue;
    }
    ASSERT_EQ(transfer.outcome, Outcome::wants_write);
    ++blocked;
    received += TlsRig::read_all(rig.server);
  }
  received += TlsRig::read_all(rig.server);
  EXPECT_GT(blocked, 2);
  EXPECT_EQ(received, bytes);
}

TEST_P(StreamTest, AnEndInOrderIsSeenAfterAllBytesAndTheOtherWayGoesOn) {
  rig.client.write("last words");
  EXPECT_EQ(rig.client.shutdown_write().outcome, Outcome::done);
  std::array<char, 64> block;
  EXPECT_EQ(rig.server.read(block).bytes, 10u);
  EXPECT_EQ(rig.server.read(block).outcome, Outcome::end);
  EXPECT_EQ(rig.server.write("answer").bytes, 6u);
  EXPECT_EQ(TlsRig::read_all(rig.client), "answer");
}

TEST_P(StreamTest, AWriteToAClosedPeerFailsWithAReason) {
  rig.server.close();
  Transfer transfer{Outcome::done};
  for (int i = 0; i < 3 && transfer.outcome == Outcome::done; ++i) {
    transfer = rig.client.write("anyone there?");
  }
  EXPECT_EQ(transfer.outcome, Outcome::failed);
  EXPECT_EQ(rig.client.error(), EPIPE);
  EXPECT_EQ(rig.client.reason(), "Broken pipe");
}

INSTANTIATE_TEST_SUITE_P(Rows, StreamTest, testing::Bool(),
                         [](const auto& row) { return row.param ? "tls" : "plain"; });

TEST(TlsStream, AnEndWithoutCloseNotifyIsACut) {
  TlsRig rig;
  ASSERT_TRUE(rig.connect());
  rig.client.write("half of it");
  TlsRig::read_all(rig.client);  // unread bytes would make a reset of it
  rig.client.close();
  std::array<char, 64> block;
  EXPECT_EQ(rig.server.read(block).bytes, 10u);
  EXPECT_EQ(rig.server.read(block).outcome, Outcome::cut);
}

TEST(TlsStream, GarbageInsteadOfARecordFailsWithoutAnErrno) {
  TlsRig rig;
  ASSERT_TRUE(rig.connect());
  std::string garbage(64, 'G');
  ASSERT_GT(send(rig.client.fd(), garbage.data(), garbage.size(), 0), 0);
  std::array<char, 64> block;
  EXPECT_EQ(rig.server.read(block).outcome, Outcome::failed);
  EXPECT_EQ(rig.server.error(), 0);
  EXPECT_EQ(rig.server.reason(), "wrong version number");
}

TEST(TlsStream, WhatOpenSslHoldsIsPendingUntilItIsRead) {
  TlsRig rig;
  ASSERT_TRUE(rig.connect());
  rig.client.write("one");
  rig.client.write("two");
  std::array<char, 64> block;
  EXPECT_FALSE(rig.server.has_pending());
  EXPECT_EQ(rig.server.read(block).bytes, 3u);
  EXPECT_TRUE(rig.server.has_pending()) << "the second record came with the first";
  EXPECT_EQ(rig.server.read(block).bytes, 3u);
  EXPECT_EQ(rig.server.read(block).outcome, Outcome::wants_read);
  EXPECT_FALSE(rig.server.has_pending());
}

TEST(TlsStream, HalfARecordIsNotPending) {
  TlsRig rig;
  ASSERT_TRUE(rig.connect());
  auto [near, far] = TlsRig::stream_pair();
  rig.client.write("whole");
  std::array<char, 256> record;
  ssize_t size = recv(rig.server.fd(), record.data(), record.size(), MSG_PEEK);
  ASSERT_GT(size, 10);
  std::array<char, 64> block;
  rig.server.read(block);
  // The beginning of a further record, and no more.
  ASSERT_EQ(send(rig.client.fd(), record.data(), 8, 0), 8);
  EXPECT_EQ(rig.server.read(block).outcome, Outcome::wants_read);
  EXPECT_FALSE(rig.server.has_pending());
}

TEST(TlsStream, BytesReadBeforeTheHandshakeAreGivenToIt) {
  TlsRig rig;
  rig.open();
  EXPECT_EQ(rig.client.handshake().outcome, Outcome::wants_read);
  std::array<char, 4096> hello;
  ssize_t size = recv(rig.server.fd(), hello.data(), hello.size(), 0);
  ASSERT_GT(size, 100);
  auto [a, b] = TlsRig::stream_pair();
  auto tls = rig.server_context->accept(rig.server.fd());
  tls->prepend({hello.data(), static_cast<size_t>(size)});
  rig.server = Stream(rig.server.take_fd(), std::move(tls));
  EXPECT_TRUE(rig.shake_hands()) << rig.server.reason();
}

}  // namespace
}  // namespace lb
