// SPDX-License-Identifier: MIT
// What hides a second request from one of two readers, or makes one request look like another. Each
// is refused, or a server sees exactly the request that we saw.
#include <gtest/gtest.h>

#include <vector>

#include "read_requests.h"

namespace lb {

std::vector<Smuggled> smuggled_lines();
std::vector<Smuggled> smuggled_lengths();
std::vector<Smuggled> smuggled_chunks();

namespace {

std::vector<Smuggled> all_rows() {
  std::vector<Smuggled> rows = smuggled_lines();
  for (auto more : {smuggled_lengths(), smuggled_chunks()}) {
    rows.insert(rows.end(), more.begin(), more.end());
  }
  return rows;
}

TEST(Smuggling, EveryRowIsRefusedOrSeenAsOneMeaning) {
  for (const Smuggled& row : all_rows()) {
    EXPECT_EQ(read_requests(row.bytes, row.bytes.size()), row.seen) << row.what;
  }
}

TEST(Smuggling, NoRowMeansSomethingElseInPieces) {
  for (const Smuggled& row : all_rows()) {
    for (size_t piece : {1, 2, 3, 7, 64}) {
      EXPECT_EQ(read_requests(row.bytes, piece), row.seen) << row.what << ", by " << piece;
    }
  }
}

TEST(Smuggling, WhatAServerIsSentMeansTheSameOnceMore) {
  for (const Smuggled& row : all_rows()) {
    std::string wire;
    std::string seen = read_requests(row.bytes, row.bytes.size(), &wire);
    seen.erase(seen.rfind('\n') == std::string::npos ? 0 : seen.rfind('\n') + 1);
    EXPECT_EQ(read_requests(wire, std::max<size_t>(wire.size(), 1)), seen) << row.what;
  }
}

TEST(Smuggling, ThereAreTwoHundredRows) {
  EXPECT_GE(all_rows().size(), 200u);
}

}  // namespace
}  // namespace lb
