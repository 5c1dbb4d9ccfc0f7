// SPDX-License-Identifier: MIT
#include "pool/close_reason.h"

namespace lb {

const char* to_string(CloseReason reason) {
  switch (reason) {
    case CloseReason::finished:
      return "finished";
    case CloseReason::client_reset:
      return "reset by client";
    case CloseReason::server_reset:
      return "reset by server";
    case CloseReason::idle_timeout:
      return "idle timeout";
    case CloseReason::half_close_timeout:
      return "half-close timeout";
    case CloseReason::send_timeout:
      return "client took no data for the send timeout";
    case CloseReason::header_timeout:
      return "no PROXY header or TLS handshake in time";
    case CloseReason::bad_proxy_header:
      return "bad PROXY header";
    case CloseReason::client_gone:
      return "client left before a server was found";
    case CloseReason::tls_failed:
      return "no TLS handshake";
    case CloseReason::protocol_error:
      return "broke the rules of HTTP/2";
    case CloseReason::denied:
      return "denied";
    case CloseReason::source_full:
      return "too many connections of its source";
    case CloseReason::source_over_rate:
      return "over the rate of its source";
    case CloseReason::over_rate:
      return "over the listener's rate";
    case CloseReason::no_route:
      return "no route";
    case CloseReason::no_server:
      return "no server usable";
    case CloseReason::servers_full:
      return "all servers at max_connections";
    case CloseReason::connect_failed:
      return "no server could be reached";
    case CloseReason::no_descriptors:
      return "out of descriptors or ports";
    case CloseReason::server_down:
      return "server went down";
    case CloseReason::server_removed:
      return "server was removed";
    case CloseReason::listener_removed:
      return "listener was removed";
    case CloseReason::shutting_down:
      return "shutting down";
    case CloseReason::no_room:
      return "made room for another client";
  }
  return "?";
}

bool is_refusal(CloseReason reason) {
  return reason == CloseReason::no_server || reason == CloseReason::servers_full ||
         reason == CloseReason::connect_failed || reason == CloseReason::no_descriptors ||
         reason == CloseReason::source_full || reason == CloseReason::source_over_rate ||
         reason == CloseReason::over_rate;
}

bool closes_by_reset(CloseReason reason) {
  switch (reason) {
    case CloseReason::finished:
    case CloseReason::idle_timeout:
    case CloseReason::half_close_timeout:
    case CloseReason::tls_failed:      // an alert has told why
    case CloseReason::protocol_error:  // a GOAWAY has
    case CloseReason::no_room:
      return false;
    default:
      return true;
  }
}

}  // namespace lb
