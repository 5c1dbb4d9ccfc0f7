// SPDX-License-Identifier: MIT
#include "net/descriptor_reserve.h"

#include <gtest/gtest.h>

#include <thread>

#include "../loopback.h"
#include "net/datagram_socket.h"
#include "net/pipe_pool.h"

namespace lb {
namespace {

TEST(DescriptorReserve, IsLeftAloneByThoseWhoSaySo) {
  Address server = refusing_address();
  Address local = *Address::parse_ip("127.0.0.1", 0);
  EventLoop loop;
  DescriptorReserve reserve;
  reserve.begin_at(lowest_free_descriptor());
  EXPECT_TRUE(connect_stream(server, nullptr)) << "control may";
  {
    LeavesReserve leaves(reserve);
    auto stream = connect_stream(server, nullptr);
    ASSERT_FALSE(stream);
    EXPECT_EQ(stream.error(), EMFILE);
    auto datagrams = connect_datagrams(server, local);
    ASSERT_FALSE(datagrams);
    EXPECT_EQ(datagrams.error(), EMFILE);
    EXPECT_EQ(PipePool(loop, 1).take(), nullptr);
    std::thread([&] { EXPECT_TRUE(connect_stream(server, nullptr)) << "another thread"; }).join();
  }
  EXPECT_TRUE(connect_stream(server, nullptr)) << "when it is over";
}

TEST(DescriptorReserve, WhatIsNotOfItIsAnybodys) {
  DescriptorReserve reserve;
  EXPECT_FALSE(reserve.has(1'000'000)) << "there is none yet";
  reserve.begin_at(100);
  LeavesReserve leaves(reserve);
  EXPECT_FALSE(is_reserved(99));
  EXPECT_TRUE(is_reserved(100));
  errno = ENFILE;
  EXPECT_FALSE(unless_reserved(Fd()));
  EXPECT_EQ(errno, ENFILE) << "why there is none";
}

}  // namespace
}  // namespace lb
