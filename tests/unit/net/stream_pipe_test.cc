// SPDX-License-Identifier: MIT
#include "net/stream_pipe.h"

#include <gtest/gtest.h>

#include <csignal>
#include <string>

#include "../loopback.h"

namespace lb {
namespace {

using Outcome = Transfer::Outcome;

struct PipeRig {
  PipeRig() {
    signal(SIGPIPE, SIG_IGN);  // splice(2) knows no MSG_NOSIGNAL
    Fd here;
    std::tie(sender, here) = tcp_pair();
    from = Stream(std::move(here));
    std::tie(here, receiver) = tcp_pair();
    to = Stream(std::move(here));
  }
  ~PipeRig() { pipe.release(pool); }

  EventLoop loop;
  PipePool pool{loop, 1};
  Fd sender;
  Fd receiver;
  Stream from;
  Stream to;
  StreamPipe pipe;
};

TEST(StreamPipe, PassesAtMostSoManyBytesOn) {
  PipeRig rig;
  ASSERT_EQ(send(rig.sender.get(), "hello, world", 12, 0), 12);
  Pipe* pipe = rig.pipe.get(rig.pool);
  ASSERT_NE(pipe, nullptr);
  Transfer got = splice_from(rig.from, *pipe, 5);
  EXPECT_EQ(got.outcome, Outcome::done);
  EXPECT_EQ(got.bytes, 5u);
  EXPECT_TRUE(rig.pipe.has_kept());
  Transfer sent = rig.pipe.write_to(rig.to);
  EXPECT_EQ(sent.outcome, Outcome::done);
  EXPECT_EQ(sent.bytes, 5u);
  EXPECT_FALSE(rig.pipe.has_kept());
  char text[16];
  EXPECT_EQ(std::string(text, static_cast<size_t>(recv(rig.receiver.get(), text, 16, 0))), "hello");
}

TEST(StreamPipe, SaysWhyNothingCame) {
  PipeRig rig;
  Pipe* pipe = rig.pipe.get(rig.pool);
  ASSERT_NE(pipe, nullptr);
  EXPECT_EQ(splice_from(rig.from, *pipe, 5).outcome, Outcome::wants_read);
  rig.sender.reset();
  EXPECT_EQ(splice_from(rig.from, *pipe, 5).outcome, Outcome::end);
}

TEST(StreamPipe, KeepsWhatTheReceiverRefuses) {
  PipeRig rig;
  Pipe* pipe = rig.pipe.get(rig.pool);
  ASSERT_NE(pipe, nullptr);
  std::string bytes(100'000, 'x');
  size_t passed = 0;
  while (!rig.pipe.has_kept()) {
    ASSERT_GT(send(rig.sender.get(), bytes.data(), bytes.size(), MSG_DONTWAIT), 0);
    passed += splice_from(rig.from, *pipe, bytes.size()).bytes;
    rig.pipe.write_to(rig.to);
  }
  EXPECT_EQ(rig.pipe.write_to(rig.to).outcome, Outcome::wants_write);
  size_t received = 0;
  while (received < passed) {
    ssize_t got = recv(rig.receiver.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got > 0) received += static_cast<size_t>(got);
    if (rig.pipe.has_kept()) rig.pipe.write_to(rig.to);
  }
  EXPECT_FALSE(rig.pipe.has_kept());
  rig.receiver.reset();
}

TEST(StreamPipe, TellsOfAReceiverThatIsGone) {
  PipeRig rig;
  Pipe* pipe = rig.pipe.get(rig.pool);
  ASSERT_NE(pipe, nullptr);
  rig.receiver.reset();
  ASSERT_EQ(send(rig.sender.get(), "0123456789", 10, 0), 10);
  Outcome outcome = Outcome::done;
  for (int i = 0; i < 10 && outcome == Outcome::done; ++i) {
    splice_from(rig.from, *pipe, 1);
    outcome = rig.pipe.write_to(rig.to).outcome;
  }
  EXPECT_EQ(outcome, Outcome::failed);
  EXPECT_EQ(rig.to.error(), EPIPE);
}

TEST(StreamPipe, IsNoneWhereNoneAreToSpare) {
  PipeRig rig;
  StreamPipe other;
  ASSERT_NE(rig.pipe.get(rig.pool), nullptr);
  EXPECT_EQ(other.get(rig.pool), nullptr);
  EXPECT_FALSE(other.has_kept());
  rig.pipe.release(rig.pool);
  EXPECT_NE(other.get(rig.pool), nullptr);
  other.release(rig.pool);
}

TEST(SpliceSense, SplicesAfterFullReadsAndStopsAfterSmallSplices) {
  SpliceSense sense;
  for (bool full : {true, true, false, true, true}) sense.note_read(full);
  EXPECT_FALSE(sense.wants_splice());
  sense.note_read(true);
  EXPECT_TRUE(sense.wants_splice());
  for (int i = 1; i < StreamPipe::kSmallSplices; ++i) sense.note_splice(100);
  sense.note_splice(StreamPipe::kSmallSplice);
  for (int i = 1; i < StreamPipe::kSmallSplices; ++i) sense.note_splice(100);
  EXPECT_TRUE(sense.wants_splice());
  sense.note_splice(100);
  EXPECT_FALSE(sense.wants_splice());
}

}  // namespace
}  // namespace lb
