// SPDX-License-Identifier: MIT
#include "l7/exchange_record.h"

#include <algorithm>

#include "net/tls_session.h"
#include "pool/server.h"

namespace lb {

namespace {

std::string_view field(const RequestHead& head, FieldId id) {
  const Field* found = head.find(id);
  return found == nullptr ? std::string_view() : found->value;
}

const char* protocol_of(const RequestHead& request) {
  if (request.major == 2) return "HTTP/2.0";
  return request.minor == 0 ? "HTTP/1.0" : "HTTP/1.1";
}

}  // namespace

const char* to_string(ExchangeEnd end) {
  switch (end) {
    case ExchangeEnd::ok:
      return "ok";
    case ExchangeEnd::by_route:
      return "by_route";
    case ExchangeEnd::bad_request:
      return "bad_request";
    case ExchangeEnd::unauthorized:
      return "unauthorized";
    case ExchangeEnd::over_rate:
      return "over_rate";
    case ExchangeEnd::plain_http:
      return "plain_http";
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

ExchangeEnd end_of_exchange(CloseReason reason) {
  switch (reason) {
    case CloseReason::send_timeout:
      return ExchangeEnd::send_timeout;
    case CloseReason::listener_removed:
    case CloseReason::shutting_down:
      return ExchangeEnd::shutting_down;
    default:
      return ExchangeEnd::client_gone;
  }
}

AccessRecord access_record(const ExchangeRecord& record) {
  AccessRecord access{record.client, to_string(record.end)};
  access.protocol = "HTTP";
  if (record.request != nullptr) {
    const RequestHead& request = *record.request;
    access.protocol = protocol_of(request);
    access.method = request.method_name;
    access.query = request.query;
    access.request_id = field(request, FieldId::x_request_id);
  }
  access.host = record.host;
  access.path = record.path;
  access.status = record.status;
  access.referer = record.referer;
  access.user_agent = record.user_agent;
  access.pool = record.pool;
  if (record.server != nullptr) access.server = record.server->name();
  access.retries = record.retries;
  access.bytes_in = record.request_bytes;
  access.bytes_out = record.response_bytes;
  access.queued_us = record.queued_us;
  access.connected_us = record.connected_us;
  access.answered_us = record.responded_us;
  access.took_us = std::max<int64_t>(0, record.total_us);
  if (record.tls != nullptr) {
    access.tls = record.tls->version();
    access.sni = record.tls->server_name();
  }
  return access;
}

}  // namespace lb
