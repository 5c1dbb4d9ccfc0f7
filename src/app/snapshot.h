// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/fd.h"
#include "config/config.h"
#include "net/connection_limit.h"
#include "pool/frontend.h"

namespace lb {

// A listener as all workers together need it.
struct ListenerPlan {
  std::shared_ptr<const ListenerConfig> config;
  std::shared_ptr<const Pool> pool;  // null where routes name the pools
  Pools routed;
  std::shared_ptr<const TlsServerContext> tls;
  std::shared_ptr<ConnectionLimit> limit;
  std::shared_ptr<ListenerStats> stats;
  // Listening sockets of each worker. A unix socket is one worker's.
  std::vector<std::vector<std::shared_ptr<const Fd>>> sockets;
  std::shared_ptr<DatagramLimits> datagrams;  // udp
  std::shared_ptr<ClientLimits> clients;      // tcp and http
  std::shared_ptr<const ProtocolPlan> protocol_plan = nullptr;
  std::shared_ptr<const AccessLog> access_log;
  std::shared_ptr<const Tracing> tracing;
};

// Everything that decides, as one immutable whole: made on the control thread, taken up by each
// worker in one step. The last reference goes back to the control thread and is freed there.
struct Snapshot {
  uint64_t version = 0;
  milliseconds drain_timeout{0};
  // All of them, also those that only a removed listener's connections still use.
  Pools pools;
  std::map<std::string, ListenerPlan> listeners;
};

}  // namespace lb
