// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/address.h"
#include "net/proxy_protocol.h"
#include "net/relay.h"
#include "net/tls_server_context.h"
#include "pool/client_limits.h"
#include "pool/close_reason.h"

namespace lb {

class TcpFrontend;

// What a client's connection may begin with, before a server is chosen for it: a PROXY header,
// PostgreSQL's request for TLS, and the TLS handshake itself or, where TLS is passed through, a
// look at its first message. Lives until that is over. Holds at most kMaxClientHello bytes and what
// OpenSSL needs. Worker thread.
class TcpOpening {
 public:
  // Whether a connection from `peer` has any of it.
  static bool is_needed(const TcpFrontend& frontend, const Address& peer);

  // A client that a PROXY header names takes its place; it is the session's.
  TcpOpening(TcpFrontend& frontend, const Address& peer, SourcePlace& place);

  enum class Step {
    more,  // an event will say when to go on; those of the client are armed as it takes
    done,
    failed,  // reason() tells
  };
  // The client is readable or writable, or new.
  Step advance(Endpoint& client);

  CloseReason reason() const { return reason_; }
  // The client has sent something.
  bool is_begun() const { return is_begun_; }

  // What was found: the client (of the PROXY header, if one named it), ...
  const Address& peer() const { return peer_; }
  const ProxyHeader& header() const { return header_; }
  // ... the name that it asked for by SNI, and its bytes that belong to the server.
  const std::string& server_name() const { return server_name_; }
  std::string_view rest() const { return bytes_; }

 private:
  enum class Phase { proxy_header, starttls, handshake, client_hello, done };

  Step receive(Endpoint& client);
  Step read_proxy_header();
  Step read_postgres_start(Endpoint& client);
  Step answer_postgres(Endpoint& client, bool is_yes);
  Step shake_hands(Endpoint& client);
  Step read_client_hello();
  Step fail(CloseReason reason);
  Phase after_header() const;

  TcpFrontend& frontend_;
  SourcePlace& place_;
  const std::shared_ptr<const TlsServerContext> tls_;  // as it was in the beginning
  Address peer_;
  ProxyHeader header_;
  std::string bytes_;  // received and not used yet
  std::string server_name_;
  Phase phase_;
  CloseReason reason_ = CloseReason::client_gone;
  bool is_begun_ = false;
};

}  // namespace lb
