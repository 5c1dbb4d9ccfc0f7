// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "common/address.h"
#include "common/fd.h"
#include "common/result.h"

namespace lb {

// Sockets as this program wants them: non-blocking, close-on-exec. Any thread.

// TCP keepalive, and TCP_USER_TIMEOUT to match: a peer that answers nothing, to probes or to data,
// for idle + interval × count is gone (RFC 9293, 3.8.4; RFC 5482).
struct Keepalive {
  uint32_t idle_s = 60;
  uint32_t interval_s = 10;
  uint32_t count = 6;

  friend bool operator==(const Keepalive&, const Keepalive&) = default;
};

struct ListenOptions {
  bool dual_stack = false;  // an IPv6 wildcard that takes IPv4 too
  bool reuse_port = false;  // one of a group that shares the port
  uint32_t backlog = 4096;
  std::optional<Keepalive> keepalive = {};  // inherited by what is accepted, like TCP_NODELAY
  std::optional<mode_t> unix_mode = {};     // permissions of a unix path; absent: by the umask
};

// A socket of `type`, SOCK_STREAM or SOCK_DGRAM, that has the address; options as above.
Result<Fd> bind_socket(const Address& address, int type, bool dual_stack, bool reuse_port);

// Lets sockets that are bound later share the port of this one, which listens already and until now
// has it alone: it becomes the first of their group.
void share_port(int fd);

// A listening stream socket. A unix path whose socket no process listens on any more is replaced.
Result<Fd> listen_stream(const Address& address, const ListenOptions& options);

// Binds without listening: the port is nobody else's, not even of an outgoing connection, while the
// result lives. listen_stream() of the same address goes along with it. Port 0 = any.
Result<Fd> reserve_address(const Address& address);

// Whether another process (or socket) holds the address: binds once without SO_REUSEPORT and lets
// go. Success means that it is free.
Status<> probe_free(const Address& address, bool dual_stack);

// A stream socket whose connect(2) has begun (or, for unix sockets, succeeded). `source` is the
// local address to come from, port 0; its port is chosen late, so that 4-tuples are what is limited
// (IP_BIND_ADDRESS_NO_PORT). With `data_follows` the caller has bytes to send at once, and the
// handshake's last acknowledgement travels with them instead of in a packet of its own. The error
// is an errno.
Result<Fd, int> connect_stream(const Address& server, const Address* source,
                               bool data_follows = false);

// A datagram socket that exchanges with one server only. `source` as above. The error is an errno.
Result<Fd, int> connect_datagram(const Address& server, const Address* source);

void set_option(int fd, int level, int name, int value);
void set_nodelay(int fd);
void set_keepalive(int fd, const Keepalive& keepalive);
void clear_keepalive(int fd);
// Makes close(2) send a reset instead of ending the stream in order.
void set_reset_on_close(int fd);
// Whether this errno says that the process or the machine is short of something, which is no fault
// of the peer's.
bool lacks_resources(int error);
// SO_ERROR: the errno of a failed connect, EINPROGRESS while it is under way, 0 when connected.
int connect_state(int fd);

// Bytes that were written and that the peer has not acknowledged.
size_t unsent_bytes(int fd);
// Bytes that came and were not read: closing with some resets the connection.
bool has_unread(int fd);
// Throws such bytes away, 64 KiB of them at most.
void discard_unread(int fd);
// The peer has finished or is gone, whatever it sent before and is not read yet.
bool peer_has_closed(int fd);

Address local_address(int fd);

}  // namespace lb
