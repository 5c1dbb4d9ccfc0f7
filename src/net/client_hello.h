// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lb {

// The first message of a TLS client (RFC 8446, 4.1.2; RFC 6066, 3), read for the name that it asks
// for and nothing else. Pure functions over bytes; any thread.

struct ClientHello {
  enum class State {
    complete,
    incomplete,
    not_tls,  // no TLS record begins here
    invalid,  // no ClientHello, or one of more than kMaxClientHello bytes
  } state = State::invalid;
  std::string server_name = {};  // SNI in lower case without final dot; "" = none
};

// A name as it is compared: in lower case, without final dot.
std::string comparable_name(std::string_view name);

// Records and their headers included; those of today's clients have up to 2 KiB.
inline constexpr size_t kMaxClientHello = 16 * 1024;

// Reads the ClientHello at the start of `bytes`, which may be spread over several records. Anything
// that cannot become a valid one is told at the first byte that shows it, but for what stands in
// the message itself, which is read once it is whole.
ClientHello parse_client_hello(std::string_view bytes);

}  // namespace lb
