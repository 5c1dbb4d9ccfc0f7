// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace lb {

// Why a session ended: what the log says, and whether the ends of a stream learn of it by a reset.
enum class CloseReason : uint8_t {
  finished,  // both sides ended their streams, everything delivered
  client_reset,
  server_reset,
  idle_timeout,
  half_close_timeout,
  send_timeout,
  header_timeout,
  bad_proxy_header,
  client_gone,  // before a server was found
  denied,
  source_full,       // limits.max_connections_per_source
  source_over_rate,  // limits.connection_rate_per_source
  over_rate,         // limits.connection_rate
  tls_failed,        // no handshake with the client
  protocol_error,    // what the client sent is no HTTP/2, or more than anybody needs
  no_route,
  no_server,
  servers_full,
  connect_failed,
  no_descriptors,
  server_down,     // on_down: close
  server_removed,  // drain_timeout after its removal
  listener_removed,
  shutting_down,
  no_room,  // another client took its place: of a udp session, of an idle http connection
};
inline constexpr size_t kCloseReasons = static_cast<size_t>(CloseReason::no_room) + 1;

const char* to_string(CloseReason reason);

// The client could not be served, for reasons that an operator should know of.
bool is_refusal(CloseReason reason);

// A reset instead of an orderly end, so that nobody takes a cut stream for a complete one.
bool closes_by_reset(CloseReason reason);

}  // namespace lb
