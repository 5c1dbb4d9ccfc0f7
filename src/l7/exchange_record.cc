// SPDX-License-Identifier: MIT
#include "l7/exchange_record.h"

namespace lb {

const char* to_string(ExchangeEnd end) {
  switch (end) {
    case ExchangeEnd::ok:
      return "ok";
    case ExchangeEnd::by_route:
      return "by_route";
    case ExchangeEnd::bad_request:
      return "bad_request";
    case ExchangeEnd::no_route:
      return "no_route";
    case ExchangeEnd::client_timeout:
      return "client_timeout";
    case ExchangeEnd::send_timeout:
      return "send_timeout";
    case ExchangeEnd::client_gone:
      return "client_gone";
    case ExchangeEnd::no_server:
      return "no_server";
    case ExchangeEnd::servers_full:
      return "servers_full";
    case ExchangeEnd::no_socket:
      return "no_socket";
    case ExchangeEnd::connect_failed:
      return "connect_failed";
    case ExchangeEnd::server_failed:
      return "server_failed";
    case ExchangeEnd::server_nonsense:
      return "server_nonsense";
    case ExchangeEnd::server_cut:
      return "server_cut";
    case ExchangeEnd::response_timeout:
      return "response_timeout";
    case ExchangeEnd::route_timeout:
      return "route_timeout";
    case ExchangeEnd::idle:
      return "idle";
    case ExchangeEnd::server_gone:
      return "server_gone";
    case ExchangeEnd::shutting_down:
      return "shutting_down";
  }
  return "";
}

}  // namespace lb
