// SPDX-License-Identifier: MIT
#include "pool/close_reason.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace lb {
namespace {

TEST(CloseReason, EachHasItsWordsAndTellsWhetherItCutsAStream) {
  struct Row {
    CloseReason reason;
    const char* text;
    bool reset;
  };
  const Row rows[] = {
      {CloseReason::finished, "finished", false},
      {CloseReason::client_reset, "reset by client", true},
      {CloseReason::server_reset, "reset by server", true},
      {CloseReason::idle_timeout, "idle timeout", false},
      {CloseReason::half_close_timeout, "half-close timeout", false},
      {CloseReason::send_timeout, "client took no data for the send timeout", true},
      {CloseReason::header_timeout, "no PROXY header or TLS handshake in time", true},
      {CloseReason::bad_proxy_header, "bad PROXY header", true},
      {CloseReason::client_gone, "client left before a server was found", true},
      {CloseReason::denied, "denied", true},
      {CloseReason::source_full, "too many connections of its source", true},
      {CloseReason::source_over_rate, "over the rate of its source", true},
      {CloseReason::over_rate, "over the listener's rate", true},
      {CloseReason::tls_failed, "no TLS handshake", false},
      {CloseReason::protocol_error, "broke the rules of HTTP/2", false},
      {CloseReason::no_route, "no route", true},
      {CloseReason::no_server, "no server usable", true},
      {CloseReason::servers_full, "all servers at max_connections", true},
      {CloseReason::connect_failed, "no server could be reached", true},
      {CloseReason::no_descriptors, "out of descriptors or ports", true},
      {CloseReason::server_down, "server went down", true},
      {CloseReason::server_removed, "server was removed", true},
      {CloseReason::listener_removed, "listener was removed", true},
      {CloseReason::shutting_down, "shutting down", true},
      {CloseReason::no_room, "made room for another client", false},
  };
  std::set<std::string> texts;
  for (const Row& row : rows) {
    EXPECT_STREQ(to_string(row.reason), row.text);
    EXPECT_EQ(closes_by_reset(row.reason), row.reset) << row.text;
    texts.insert(row.text);
  }
  EXPECT_EQ(texts.size(), static_cast<size_t>(CloseReason::no_room) + 1) << "one is missing";
}

}  // namespace
}  // namespace lb
