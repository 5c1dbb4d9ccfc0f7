// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

#include "common/address.h"
#include "l7/http_message.h"
#include "pool/access_log.h"
#include "pool/close_reason.h"

namespace lb {

class Router;
class Server;
class TlsSession;
struct TraceContext;

// Why an exchange ended as it did.
enum class ExchangeEnd : uint8_t {
  ok,              // the client has the server's whole response
  by_route,        // redirect or respond
  bad_request,     // refused as it came: 400, 413, 414, 417, 431
  plain_http,      // it came in clear where TLS is spoken: 400
  no_route,        // 404
  unauthorized,    // 401
  over_rate,       // it asks too often: 429
  client_timeout,  // it sent nothing for too long: 408
  send_timeout,    // it took nothing for too long
  client_gone,     // it left before the end
  no_server,       // 503, as the next two
  servers_full,
  no_socket,
  connect_failed,    // 503: no server could be reached
  server_failed,     // it broke off before a response: 502
  server_nonsense,   // what it sent is no HTTP: 502
  server_cut,        // it broke off within its response
  response_timeout,  // 504, or cut within the response
  route_timeout,     // likewise
  idle,              // after 101: both sides were silent for too long
  server_gone,       // it was removed, or went down (on_down: close)
  shutting_down,     // us, or the listener
};

const char* to_string(ExchangeEnd end);
// That of an exchange whose client's connection ended under it.
ExchangeEnd end_of_exchange(CloseReason reason);

// One exchange as logs and metrics tell it, at its end. Views are valid during the call alone.
struct ExchangeRecord {
  const Address& client;                 // as limits and logs see it
  const TlsSession* tls = nullptr;       // null: it came in clear
  const RequestHead* request = nullptr;  // as servers were sent it; null: nothing could be read
  const Router* router = nullptr;        // which has this route; null: none was found
  size_t route = 0;
  std::string_view host = {};  // as it was asked for
  std::string_view path = {};  // likewise, in its normal form; request has the query
  std::string_view referer = {};
  std::string_view user_agent = {};
  std::string_view pool = {};
  int status = 0;  // 0: the client got none
  ExchangeEnd end = ExchangeEnd::ok;
  uint64_t request_bytes = 0;  // of the body; after 101 all
  uint64_t response_bytes = 0;
  const Server* server = nullptr;       // the last one that it had
  uint32_t retries = 0;                 // tries after the first
  bool reused = false;                  // the server's connection had served others
  const TraceContext* trace = nullptr;  // null: it is not sampled
  // Since the request's head was complete; -1: it never came to that.
  int64_t queued_us = -1;     // it had a server, at last
  int64_t connected_us = -1;  // to a server, or given a connection that was there
  int64_t responded_us = -1;  // the response's head was there
  int64_t total_us = 0;       // -1: its head never was complete
};

// As the access log has it. The views are the record's.
AccessRecord access_record(const ExchangeRecord& record);

}  // namespace lb
