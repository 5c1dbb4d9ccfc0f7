// SPDX-License-Identifier: MIT
// Mistakes in the section listeners.
#include "broken_files.h"

namespace lb::config {

namespace {

const char kPools[] = "pools: {db: {servers: ['10.0.0.1:5432']}}\n";

// The only listener with this address, which stands in line 4, column 14.
std::string with_address(const std::string& address) {
  return std::string(kPools) + "listeners:\n  a:\n    address: " + address + "\n    pool: db\n";
}

// Two listeners with these addresses, in lines 3 and 4, column 16.
std::string with_addresses(const std::string& first, const std::string& second) {
  return std::string(kPools) + "listeners:\n  a: {address: " + first +
         ", pool: db}\n  b: {address: " + second + ", pool: db}\n";
}

}  // namespace

std::vector<BrokenFile> broken_listeners() {
  const std::string pools = kPools;
  std::vector<BrokenFile> files = {
      // Names and the whole.
      {pools + "listeners:\n  my web: {address: ':80', pool: db}\n", 3, 3, "listeners.'my web'",
       "'my web' is no name of a listener; letters, digits and _ - ."},
      {pools + "listeners:\n  a/b: {address: ':80', pool: db}\n", 3, 3, "listeners.'a/b'",
       "no name of a listener"},
      {pools + "listeners:\n  \"\": {address: ':80', pool: db}\n", 3, 3, "listeners.''",
       "no name of a listener"},
      {pools + "listeners: {a: ':80'}\n", 2, 16, "listeners.a", "must be a map"},
      {pools + "listeners: {a: [':80']}\n", 2, 16, "listeners.a", "must be a map, not a list"},
      // address
      {pools + "listeners:\n  a: {pool: db}\n", 3, 3, "listeners.a", "'address' is missing"},
      {pools + "listeners:\n  a:\n    pool: db\n", 3, 3, "listeners.a", "'address' is missing"},
      {pools + "listeners:\n  a: {bind: ':80', pool: db}\n", 3, 7, "listeners.a.bind",
       "did you mean 'address'?"},
      {with_address(""), 4, 5, "listeners.a.address", "must be a list of addresses, not empty"},
      {with_address("[]"), 4, 14, "listeners.a.address", "not an empty one"},
      {with_address("{port: 80}"), 4, 14, "listeners.a.address", "not a map"},
      {with_address("80"), 4, 14, "listeners.a.address", "write ':80' in quotes"},
      {with_address("':0'"), 4, 14, "listeners.a.address", "'0' is not a port"},
      {with_address("':65536'"), 4, 14, "listeners.a.address", "numbers from 1 to 65535"},
      {with_address("':http'"), 4, 14, "listeners.a.address", "'http' is not a port"},
      {with_address("'10.0.0.1:'"), 4, 14, "listeners.a.address", "'' is not a port"},
      {with_address("':8o'"), 4, 14, "listeners.a.address", "'8o' is not a port"},
      {with_address("10.0.0.1"), 4, 14, "listeners.a.address", "has no port"},
      {with_address("'[::]'"), 4, 14, "listeners.a.address", "has no port"},
      {with_address("'::1:80'"), 4, 14, "listeners.a.address", "stands in brackets"},
      {with_address("'[::g]:80'"), 4, 14, "listeners.a.address", "is no IP address"},
      {with_address("10.0.0.256:80"), 4, 14, "listeners.a.address", "is no IP address"},
      {with_address("'*:80'"), 4, 14, "listeners.a.address", "is no IP address"},
      {with_address("localhost:80"), 4, 14, "listeners.a.address",
       "'localhost' is no IP address of this machine"},
      {with_address("http://0.0.0.0:80"), 4, 14, "listeners.a.address", "without 'http://'"},
      {with_address("tcp://:80"), 4, 14, "listeners.a.address", "without 'tcp://'"},
      {with_address("'unix:'"), 4, 14, "listeners.a.address", "absolute"},
      {with_address("unix:lb.sock"), 4, 14, "listeners.a.address", "absolute"},
      {with_address("unix:/" + std::string(107, 'x')), 4, 14, "listeners.a.address",
       "1 to 107 bytes"},
      {with_address("\":80\\0\""), 4, 14, "listeners.a.address", "control character"},
      {with_address("[':80', nonsense]"), 4, 22, "listeners.a.address[1]", "has no port"},
      {with_address("[':80', [':81']]"), 4, 22, "listeners.a.address[1]", "not a list"},
      {with_address("\n    - ':80'\n    -\n    - ':81'"), 6, 5, "listeners.a.address[1]",
       "not empty"},
      // One address, one listener.
      {with_addresses("':80'", "':80'"), 4, 16, "listeners.b.address",
       ":80 is taken by :80 of listener 'a' in line 3"},
      {with_addresses("':80'", "'0.0.0.0:80'"), 4, 16, "listeners.b.address", "is taken by :80"},
      {with_addresses("':80'", "'[::]:80'"), 4, 16, "listeners.b.address", "is taken by :80"},
      {with_addresses("':80'", "'127.0.0.1:80'"), 4, 16, "listeners.b.address", "wildcard"},
      {with_addresses("'127.0.0.1:80'", "':80'"), 4, 16, "listeners.b.address",
       "is taken by 127.0.0.1:80"},
      {with_addresses("'0.0.0.0:80'", "'10.0.0.1:80'"), 4, 16, "listeners.b.address", "wildcard"},
      {with_addresses("'10.0.0.1:80'", "'0.0.0.0:80'"), 4, 16, "listeners.b.address", "wildcard"},
      {with_addresses("'[::1]:80'", "'[::]:80'"), 4, 16, "listeners.b.address", "wildcard"},
      {with_addresses("'[::1]:80'", "':80'"), 4, 16, "listeners.b.address", "wildcard"},
      {with_addresses("'[::1]:80'", "'[0::1]:80'"), 4, 16, "listeners.b.address", "is taken by"},
      {with_addresses("'10.0.0.1:80'", "'[::ffff:10.0.0.1]:80'"), 4, 16, "listeners.b.address",
       "is taken by 10.0.0.1:80"},
      {with_addresses("unix:/run/x", "unix:/run//x"), 4, 16, "listeners.b.address",
       "is taken by unix:/run/x"},
      {with_address("[':80', ':80']"), 4, 22, "listeners.a.address[1]", "of listener 'a'"},
      // protocol, pool
      {with_listener("protocol: udp"), 6, 15, "listeners.a.protocol", "'udp' is known, but not"},
      {with_listener("protocol: http"), 6, 15, "listeners.a.protocol", "'http' is known, but not"},
      {with_listener("protocol: TCP"), 6, 15, "listeners.a.protocol", "did you mean 'tcp'?"},
      {with_listener("protocol: sctp"), 6, 15, "listeners.a.protocol", "not one of tcp"},
      {with_listener("protocol: http\n    timeouts: {request_header: 5s}"), 6, 15,
       "listeners.a.protocol", "not built"},
      {with_listener("protocol: udp\n    udp: {responses: 1}"), 6, 15, "listeners.a.protocol",
       "not built"},
      {with_listener("mode: tcp"), 6, 5, "listeners.a.mode", "did you mean 'protocol'?"},
      {pools + "listeners: {a: {address: ':80'}}\n", 2, 13, "listeners.a", "'pool' is missing"},
      {pools + "listeners: {a: {address: ':80', pool: dbb}}\n", 2, 39, "listeners.a.pool",
       "there is no pool 'dbb'; did you mean 'db'?"},
      {pools + "listeners: {a: {address: ':80', pool: application}}\n", 2, 39, "listeners.a.pool",
       "the pools are db"},
      {pools + "listeners: {a: {address: ':80', pool: ''}}\n", 2, 39, "listeners.a.pool",
       "there is no pool ''"},
      {pools + "listeners: {a: {address: ':80', pool: [db]}}\n", 2, 39, "listeners.a.pool",
       "must be the name of a pool, not a list"},
      {pools + "listeners: {a: {address: ':80', backend: db}}\n", 2, 33, "listeners.a.backend",
       "did you mean 'pool'?"},
      {with_listener("access_log: {output: stdout}"), 6, 5, "listeners.a.access_log", "not built"},
      {with_listener("trusted_proxies: [10.0.0.0/8]"), 6, 5, "listeners.a.trusted_proxies",
       "does not apply: for http listeners only"},
      {with_listener("udp: {max_sessions: 1}"), 6, 5, "listeners.a.udp",
       "does not apply: for udp listeners only"},
      // backlog
      {with_listener("backlog: 0"), 6, 14, "listeners.a.backlog", "1 to 65535"},
      {with_listener("backlog: 65536"), 6, 14, "listeners.a.backlog", "1 to 65535"},
      {with_listener("backlog: off"), 6, 14, "listeners.a.backlog", "not a whole number"},
      {with_listener("backlog: 4KiB"), 6, 14, "listeners.a.backlog", "not a whole number"},
      {with_listener("bakclog: 10"), 6, 5, "listeners.a.bakclog", "did you mean 'backlog'?"},
  };
  const std::vector<BrokenFile> sections = {
      // proxy_protocol
      {with_listener("proxy_protocol: {}"), 6, 5, "listeners.a.proxy_protocol",
       "'trusted' is missing"},
      {with_listener("proxy_protocol:"), 6, 5, "listeners.a.proxy_protocol",
       "'trusted' is missing"},
      {pools + "listeners:\n  a:\n    address: [unix:/run/a, ':80']\n    pool: db\n"
               "    proxy_protocol: {}\n",
       6, 5, "listeners.a.proxy_protocol", "'trusted' is missing"},
      {pools + "listeners:\n  a:\n    address: unix:/run/a\n    pool: db\n"
               "    proxy_protocol:\n",
       6, 5, "listeners.a.proxy_protocol", "'trusted' is missing"},
      {pools + "listeners:\n  a:\n    address: unix:/run/a\n    pool: db\n"
               "    proxy_protocol: {trusted: []}\n",
       6, 31, "listeners.a.proxy_protocol.trusted", "must be a list of networks, not an empty one"},
      {with_listener("proxy_protocol: v2"), 6, 21, "listeners.a.proxy_protocol", "must be a map"},
      {with_listener("proxy_protocol: {trusted: []}"), 6, 31, "listeners.a.proxy_protocol.trusted",
       "must be a list of networks, not an empty one"},
      {with_listener("proxy_protocol: {trusted: 10.0.0.0/8}"), 6, 31,
       "listeners.a.proxy_protocol.trusted", "must be a list of networks, not a single value"},
      {with_listener("proxy_protocol: {trusted: [10.0.0.0/33]}"), 6, 32,
       "listeners.a.proxy_protocol.trusted[0]", "10.0.0.0/33"},
      {with_listener("proxy_protocol: {trust: [10.0.0.0/8]}"), 6, 22,
       "listeners.a.proxy_protocol.trust", "did you mean 'trusted'?"},
      // allow, deny
      {with_listener("allow: []"), 6, 12, "listeners.a.allow", "not an empty one"},
      {with_listener("allow: 10.0.0.0/8"), 6, 12, "listeners.a.allow", "must be a list"},
      {with_listener("allow: off"), 6, 12, "listeners.a.allow", "must be a list"},
      {with_listener("allow:"), 6, 5, "listeners.a.allow", "not empty"},
      {with_listener("allow: [10.0.0.5/8]"), 6, 13, "listeners.a.allow[0]", "10.0.0.5/8"},
      {with_listener("deny: [10.0.0.0/8, example.com]"), 6, 24, "listeners.a.deny[1]",
       "example.com"},
      {with_listener("deny: [10.0.0.1:80]"), 6, 12, "listeners.a.deny[0]", "10.0.0.1:80"},
      {with_listener("deny: ['2001:db8::/129']"), 6, 12, "listeners.a.deny[0]", "2001:db8::/129"},
      {with_listener("deny: [[10.0.0.0/8]]"), 6, 12, "listeners.a.deny[0]", "not a list"},
      {with_listener("deny: [{file: no.txt}]"), 6, 19, "listeners.a.deny[0].file",
       "cannot read /nonexistent/no.txt: No such file"},
      {with_listener("deny: [{file: ''}]"), 6, 19, "listeners.a.deny[0].file", "path of a file"},
      {with_listener("deny: [{file: /}]"), 6, 19, "listeners.a.deny[0].file", "Is a directory"},
      {with_listener("deny: [{}]"), 6, 12, "listeners.a.deny[0]", "'file' is missing"},
      {with_listener("deny: [{fiel: x}]"), 6, 13, "listeners.a.deny[0].fiel", "mean 'file'?"},
      // limits
      {with_listener("limits: 100"), 6, 13, "listeners.a.limits", "must be a map"},
      {with_listener("limits: {max_connections: 0}"), 6, 31, "listeners.a.limits.max_connections",
       "1 to 10000000"},
      {with_listener("limits: {max_connections: lots}"), 6, 31,
       "listeners.a.limits.max_connections", "not a whole number"},
      {with_listener("limits: {maxconn: 5}"), 6, 14, "listeners.a.limits.maxconn",
       "did you mean 'max_connections'?"},
      {with_listener("limits: {max_connections_per_source: 5}"), 6, 14,
       "listeners.a.limits.max_connections_per_source", "not built"},
      {with_listener("limits: {connection_rate: 5/s}"), 6, 14, "listeners.a.limits.connection_rate",
       "not built"},
      {with_listener("limits: {connection_rate_per_source: 5/s}"), 6, 14,
       "listeners.a.limits.connection_rate_per_source", "not built"},
      {with_listener("limits: {request_rate_per_source: 5/s}"), 6, 14,
       "listeners.a.limits.request_rate_per_source", "for http listeners only"},
      {with_listener("limits: {datagram_rate: 5/s}"), 6, 14, "listeners.a.limits.datagram_rate",
       "for udp listeners only"},
      {with_listener("limits: {datagram_rate_per_source: 5/s}"), 6, 14,
       "listeners.a.limits.datagram_rate_per_source", "for udp listeners only"},
      {with_listener("limits: {max_header_size: 32KiB}"), 6, 14,
       "listeners.a.limits.max_header_size", "does not apply"},
      {with_listener("limits: {max_uri_size: 8KiB}"), 6, 14, "listeners.a.limits.max_uri_size",
       "does not apply"},
      {with_listener("limits: {max_body_size: 8KiB}"), 6, 14, "listeners.a.limits.max_body_size",
       "does not apply"},
      {with_listener("limits: {max_streams: 100}"), 6, 14, "listeners.a.limits.max_streams",
       "does not apply"},
      // timeouts
      {with_listener("timeouts: 5s"), 6, 15, "listeners.a.timeouts", "must be a map"},
      {with_listener("timeouts: off"), 6, 15, "listeners.a.timeouts", "must be a map"},
      {with_listener("timeouts: {idle: 60}"), 6, 22, "listeners.a.timeouts.idle",
       "write 60s if seconds are meant"},
      {with_listener("timeouts: {idle: 0s}"), 6, 22, "listeners.a.timeouts.idle", "1ms to 365d"},
      {with_listener("timeouts: {half_close: 1 h}"), 6, 28, "listeners.a.timeouts.half_close",
       "not a duration"},
      {with_listener("timeouts: {send: fast}"), 6, 22, "listeners.a.timeouts.send",
       "not a duration"},
      {with_listener("timeouts: {tls_handshake: 10us}"), 6, 31,
       "listeners.a.timeouts.tls_handshake", "not a duration"},
      {with_listener("timeouts: {request_header: 10s}"), 6, 16,
       "listeners.a.timeouts.request_header", "does not apply: for http listeners only"},
      {with_listener("timeouts: {request_body: 10s}"), 6, 16, "listeners.a.timeouts.request_body",
       "does not apply"},
      {with_listener("timeouts: {keep_alive: 10s}"), 6, 16, "listeners.a.timeouts.keep_alive",
       "does not apply"},
      {with_listener("timeouts: {connect: 10s}"), 6, 16, "listeners.a.timeouts.connect",
       "unknown key; the keys here are idle, half_close, send, tls_handshake"},
      // keepalive
      {with_listener("keepalive: 60s"), 6, 16, "listeners.a.keepalive", "must be a map"},
      {with_listener("keepalive: {idle: 1500ms}"), 6, 23, "listeners.a.keepalive.idle",
       "no whole number of seconds"},
      {with_listener("keepalive: {idle: 0s}"), 6, 23, "listeners.a.keepalive.idle", "1s to 32767s"},
      {with_listener("keepalive: {interval: 1d}"), 6, 27, "listeners.a.keepalive.interval",
       "1s to 32767s"},
      {with_listener("keepalive: {interval: off}"), 6, 27, "listeners.a.keepalive.interval",
       "not a duration"},
      {with_listener("keepalive: {count: 0}"), 6, 24, "listeners.a.keepalive.count", "1 to 127"},
      {with_listener("keepalive: {count: 128}"), 6, 24, "listeners.a.keepalive.count", "1 to 127"},
      {with_listener("keepalive: {probes: 3}"), 6, 17, "listeners.a.keepalive.probes",
       "unknown key"},
  };
  files.insert(files.end(), sections.begin(), sections.end());
  return files;
}

}  // namespace lb::config
