// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lb {

using std::chrono::milliseconds;

enum class CheckType { tcp, tls, http, https, grpc, dns, script, agent, postgres, mysql, redis };

// An inclusive range of HTTP status codes.
struct StatusRange {
  uint16_t first = 200;
  uint16_t last = 399;

  friend bool operator==(const StatusRange&, const StatusRange&) = default;
};

// The question of a dns check.
struct DnsQuestion {
  std::string name = ".";
  uint16_t type = 2;  // a number of RFC 1035, 3.2.2 and its successors; 2 is NS

  friend bool operator==(const DnsQuestion&, const DnsQuestion&) = default;
};

// Load in per cent above which a server is overloaded; absent: no matter how much.
struct LoadThresholds {
  std::optional<uint32_t> cpu = {};
  std::optional<uint32_t> memory = {};
  std::optional<uint32_t> network = {};

  bool any() const { return cpu || memory || network; }

  friend bool operator==(const LoadThresholds&, const LoadThresholds&) = default;
};

enum class DatabaseRole { primary, replica };

// How the servers of a pool are checked. What belongs to other types than `type` keeps its default.
struct HealthCheckConfig {
  bool enabled = true;  // off: always healthy
  CheckType type = CheckType::tcp;
  milliseconds interval{5'000};
  milliseconds timeout{2'000};
  uint32_t rise = 2;
  uint32_t fall = 3;
  milliseconds fast_interval{1'000};
  std::optional<uint16_t> port = {};  // another port than the traffic's

  // tcp
  std::string send = {};    // sent after connecting
  std::string expect = {};  // the answer must begin with it

  // http, https
  std::string path = "/health";
  std::string method = "GET";
  std::vector<StatusRange> expect_status = {StatusRange{}};
  std::string expect_body = {};  // must be in the body's first 64 KiB

  // tls, http, https, grpc
  std::string host = {};  // empty: as the server is written

  // tls, https
  bool verify = true;
  std::string ca_file = {};           // PEM; empty: the authorities of the system
  std::string tls_name = {};          // whom the certificate must be for; empty: host
  std::string certificate_file = {};  // shown to servers that ask, with key_file
  std::string key_file = {};

  // grpc
  std::string service = {};

  // dns
  DnsQuestion query = {};

  // http, https, agent
  LoadThresholds thresholds = {};

  // script
  std::vector<std::string> command = {};

  // postgres, mysql, redis
  std::string user = {};
  std::string password = {};  // what password_file holds, without its last newline
  std::string database = {};
  std::optional<DatabaseRole> role = {};     // absent: either
  std::optional<milliseconds> max_lag = {};  // postgres, mysql

  friend bool operator==(const HealthCheckConfig&, const HealthCheckConfig&) = default;
};

}  // namespace lb
