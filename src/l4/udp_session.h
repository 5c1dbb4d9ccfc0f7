// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "common/fd.h"
#include "common/intrusive_list.h"
#include "l4/flow_table.h"
#include "net/datagrams.h"
#include "net/port_table.h"
#include "net/proxy_protocol.h"
#include "pool/close_reason.h"
#include "pool/server.h"

namespace lb {

class UdpFrontend;

// How much a session has shown of itself. Where room is wanted, the least go first: a sender that
// lies about its address is never answered, or never speaks after an answer.
enum class UdpStanding : uint8_t { unanswered, answered, established };
inline constexpr size_t kUdpStandings = 3;

// One client's datagrams through us: a server, and a socket of its own to it. What it sends goes to
// that server for as long as the session lives; replies leave from the address that the client sent
// to. It says what happened and never ends itself: its frontend does. About 350 bytes, and its
// socket in the kernel. Worker thread.
class UdpSession final : public ListHook {
 public:
  // What became of datagrams on their way to the server.
  struct Sent {
    uint32_t done = 0;     // sent or dropped
    uint32_t dropped = 0;  // the kernel would not take them
    int error = 0;         // the server cannot be reached: what follows `done` was not sent
  };

  UdpSession(UdpFrontend& frontend, const FlowKey& key, const Arrival& first,
             std::shared_ptr<const Fd> socket, std::shared_ptr<const ProxyHeader> header);
  ~UdpSession();
  UdpSession(const UdpSession&) = delete;
  UdpSession& operator=(const UdpSession&) = delete;

  // Once: picks a server and opens the socket to it. Else why it could not.
  std::optional<CloseReason> begin();
  Sent send(Arrival* const* arrivals, size_t count);
  // Gives back server, socket and port. Once it is closed nothing but its end is left.
  void close();
  void write_access_log(CloseReason reason) const;

  const FlowKey& key() const { return key_; }
  Server* server() const { return lease_.server(); }
  const std::shared_ptr<const Fd>& socket() const { return socket_; }
  UdpStanding standing() const { return standing_; }
  int64_t active_ms() const { return active_ms_; }
  Address client() const;
  // Whether its next datagram goes to another server: this one is down, or was just found
  // unreachable.
  bool must_move(int64_t now_ms) const;
  void move_on() { moving_ = true; }
  bool moving() const { return moving_; }
  // What a trusted peer said before its first datagram; null for a client of our own.
  const std::shared_ptr<const ProxyHeader>& header() const { return header_; }

  // For its frontend: its place in the batch being read, and among the newcomers that wait.
  static constexpr uint16_t kNone = UINT16_MAX;
  uint16_t batch_first = kNone;
  uint16_t batch_last = kNone;
  uint64_t queued_until = 0;

 private:
  Sent send_one(const Arrival& arrival);
  std::optional<CloseReason> open(Server& server);
  int connect(Server& server, const Address& source);
  void on_readable();
  void take_one();
  void take_many();
  // A reply that is passed on; false: it was the session's last.
  bool count_reply(uint32_t count, uint32_t size);
  // The datagram's bytes, or -errno.
  int64_t receive(char* room, uint16_t& segment);
  int64_t receive_checked(char* room);
  void note_request(uint32_t count);
  void note_reply(uint32_t count, uint32_t size);
  Address destination() const;

  UdpFrontend& frontend_;
  Fd fd_;
  IoEvent readable_;
  Lease lease_;
  std::shared_ptr<ServerPorts> ports_;
  FlowKey key_;
  Endpoint4or6 peer_;   // where replies go
  LocalAddress local_;  // where they come from
  // The listening one; open for as long as anything is sent from it.
  const std::shared_ptr<const Fd> socket_;
  ServerPorts::Port port_;  // of its own socket
  const std::shared_ptr<const ProxyHeader> header_;
  bool moving_ = false;
  bool header_sent_ = false;
  bool many_ = false;  // the socket was told to expect many datagrams
  UdpStanding standing_ = UdpStanding::unanswered;
  uint8_t single_ = 8;  // turns left that take one reply
  uint8_t bursts_ = 0;  // many came at once so often
  uint64_t requests_ = 0;
  uint64_t replies_ = 0;
  uint64_t bytes_in_ = 0;
  uint64_t bytes_out_ = 0;
  const int64_t began_ms_;
  int64_t answered_ms_ = 0;
  int64_t active_ms_;
  int64_t timing_us_ = 0;       // since when a reply is awaited; least_response_time
  int64_t known_avoid_ms_ = 0;  // the server was avoided already when it was picked
};

}  // namespace lb
