// SPDX-License-Identifier: MIT
// Mistakes in what http listeners and their pools have beyond others.
#include "broken_files.h"

namespace lb::config {

namespace {

// An http listener with a pool, and `text` from line 7, column 5 on.
std::string with_http(const std::string& text) {
  return with_listener("protocol: http\n    " + text);
}

// The same with TLS, of which `text` stands in line 7, column 73.
std::string with_http_tls(const std::string& text) {
  // A file that can be read, whatever it holds.
  return with_http("tls: {certificates: [{certificate: /etc/passwd, key: /etc/passwd}], " + text +
                   "}");
}

// An http listener whose only route, in line 6, column 14, is `text`.
std::string with_route(const std::string& text) {
  return "pools: {db: {servers: ['10.0.0.1:80']}}\n"
         "listeners:\n"
         "  a:\n"
         "    address: ':80'\n"
         "    protocol: http\n"
         "    routes: [" +
         text + "]\n";
}

constexpr const char* kVerifier = "jwt: {shop: {algorithms: HS256, secret_file: /dev/null}}\n";
constexpr const char* kTwoVerifiers =
    "jwt:\n"
    "  shop: {algorithms: HS256, secret_file: /dev/null}\n"
    "  blog: {algorithms: HS256, secret_file: /dev/null}\n";

// The same with a match in line 6, column 22, and a pool.
std::string with_match(const std::string& text) {
  return with_route("{match: " + text + ", pool: db}");
}

// A pool of an http listener with `text` in line 5, column 5.
std::string with_http_pool(const std::string& text) {
  return "listeners: {a: {address: ':80', protocol: http, pool: db}}\n"
         "pools:\n"
         "  db:\n"
         "    servers: ['10.0.0.1:80']\n"
         "    " +
         text + "\n";
}

}  // namespace

std::vector<BrokenFile> broken_http() {
  const std::string route = "listeners.a.routes[0]";
  const std::string match = route + ".match";
  return {
      // Keys of the listener.
      {with_http("timeouts: {half_close: 1s}"), 7, 16, "listeners.a.timeouts.half_close",
       "for tcp listeners only"},
      {with_http("timeouts: {request_header: 0s}"), 7, 32, "listeners.a.timeouts.request_header",
       "1ms"},
      {with_http("limits: {max_header_size: 100B}"), 7, 31, "listeners.a.limits.max_header_size",
       "1KiB"},
      {with_http("limits: {max_header_size: off}"), 7, 31, "listeners.a.limits.max_header_size",
       "size"},
      {with_http("limits: {max_uri_size: 8192}"), 7, 28, "listeners.a.limits.max_uri_size", "unit"},
      {with_http("limits: {max_body_size: 0B}"), 7, 29, "listeners.a.limits.max_body_size", ""},
      {with_http("limits: {max_streams: 0}"), 7, 27, "listeners.a.limits.max_streams", "1"},
      {with_http("limits: {max_streams: off}"), 7, 27, "listeners.a.limits.max_streams", "number"},
      {with_http("limits: {max_streams: 10001}"), 7, 27, "listeners.a.limits.max_streams", "10000"},
      {with_http("limits: {request_rate_per_source: 1}"), 7, 39,
       "listeners.a.limits.request_rate_per_source", "rate"},
      {with_http("trusted_proxies: [10.0.0.0]\n    trusted_proxy: []"), 8, 5,
       "listeners.a.trusted_proxy", "did you mean 'trusted_proxies'?"},
      {with_http("trusted_proxies: [10.0.0.1/8]"), 7, 23, "listeners.a.trusted_proxies[0]", ""},
      {with_http("udp: {responses: 1}"), 7, 5, "listeners.a.udp", "for udp listeners only"},
      {with_http("routes: [{pool: db}]"), 5, 5, "listeners.a.pool", "stands beside 'routes'"},
      {with_http("tls: {certificates: []}"), 7, 25, "listeners.a.tls.certificates", "empty"},
      {with_http_tls("alpn: []"), 7, 79, "listeners.a.tls.alpn", "not an empty one"},
      {with_http_tls("alpn: [h2, h2]"), 7, 84, "listeners.a.tls.alpn[1]", "twice"},
      {with_http_tls("alpn: [h3]"), 7, 80, "listeners.a.tls.alpn[0]", "reserved"},
      {with_http_tls("alpn: [http/1.1, http/1.1]"), 7, 90, "listeners.a.tls.alpn[1]", "twice"},
      {with_http_tls("alpn: [spdy]"), 7, 80, "listeners.a.tls.alpn[0]", "not one of h2, http/1.1"},
      {with_http_tls("starttls: postgres"), 7, 73, "listeners.a.tls.starttls", "for tcp"},
      // Routes.
      {with_route(""), 6, 13, "listeners.a.routes", "not an empty one"},
      {with_route("db"), 6, 14, route, "must be a map"},
      {with_route("{}"), 6, 14, route, "it needs one of pool, split, redirect, respond"},
      {with_route("{pool: dbb}"), 6, 21, route + ".pool", "did you mean 'db'?"},
      {with_route("{pool: db, split: {db: 1}}"), 6, 25, route + ".split",
       "does not go with 'pool'"},
      {with_route("{pool: db, respond: {}}"), 6, 25, route + ".respond", "does one thing"},
      {with_route("{pool: db, sticky: {by: cookie}}"), 6, 33, route + ".sticky", "must be off"},
      {with_route("{pool: db, limits: {}}"), 6, 25, route + ".limits", "'request_rate' is missing"},
      {with_route("{pool: db, limits: {request_rate: 5}}"), 6, 48, route + ".limits.request_rate",
       "rate"},
      {with_route("{pool: db, limits: {request_rate: 5/s, key: cookie:a}}"), 6, 58,
       route + ".limits.key", "not one of source, header:NAME, claim:NAME"},
      {with_route("{pool: db, limits: {request_rate: 5/s, key: 'header:'}}"), 6, 58,
       route + ".limits.key", "header name"},
      {with_route("{pool: db, limits: {request_rate: 5/s, key: 'claim:sub'}}"), 6, 53,
       route + ".limits.key", "there is no section jwt"},
      {with_route("{pool: db, jwt: shop}"), 6, 30, route + ".jwt", "no verifier 'shop'"},
      {with_route("{pool: db, claims: {X-User: sub}}"), 6, 25, route + ".claims",
       "there is no section jwt"},
      {with_route("{pool: db, claims: {X-User: sub}}") + kTwoVerifiers, 6, 25, route + ".claims",
       "name one of them with jwt"},
      {with_route("{pool: db, claims: {X-User: }}") + kVerifier, 6, 42, route + ".claims.X-User",
       "not empty"},
      {with_route("{pool: db, claims: {Host: sub}}") + kVerifier, 6, 34, route + ".claims.Host",
       ""},
      {with_route("{pool: db, cache: on}"), 6, 25, route + ".cache", "reserved"},
      {with_route("{pool: db, balance: fastest}"), 6, 34, route + ".balance", "not one of"},
      {with_route("{pool: db, timeout: 5}"), 6, 34, route + ".timeout", "unit"},
      {with_route("{pol: db, pool: db}"), 6, 15, route + ".pol", "did you mean 'pool'?"},
      {with_route("{split: {db: 0}}"), 6, 22, route + ".split", "gives no pool any weight"},
      {with_route("{split: {}}"), 6, 22, route + ".split", "gives no pool any weight"},
      {with_route("{split: {db: 1.5}}"), 6, 27, route + ".split.db", "whole number"},
      {with_route("{split: {db: 1, dbb: 1}}"), 6, 30, route + ".split.dbb", "no pool 'dbb'"},
      {with_route("{redirect: {status: 301}, match: {}}"), 6, 15, route + ".redirect",
       "'to' is missing"},
      {with_route("{redirect: {to: /, status: 200}}"), 6, 41, route + ".redirect.status",
       "not one of 301"},
      {with_route("{redirect: {to: '{hots}'}}"), 6, 30, route + ".redirect.to",
       "'{hots}' cannot be filled in"},
      {with_route("{redirect: {to: 'https://{host'}}"), 6, 30, route + ".redirect.to",
       "without its '}'"},
      {with_route("{redirect: {to: /}, timeout: 1s}"), 6, 34, route + ".timeout", "asks no server"},
      {with_route("{respond: {}, rewrite: {host: a}}"), 6, 28, route + ".rewrite",
       "asks no server"},
      {with_route("{respond: {status: 204, body: a}}"), 6, 44, route + ".respond.body",
       "has no body"},
      {with_route("{respond: {status: 99}}"), 6, 33, route + ".respond.status", "200 to 599"},
      {with_route("{respond: {headers: {'A b': c}}}"), 6, 35, route + ".respond.headers.'A b'",
       "is no header name"},
      {with_route("{pool: db, request_headers: {set: {Host: a}}}"), 6, 49,
       route + ".request_headers.set.Host", "rewrite"},
      {with_route("{pool: db, request_headers: {remove: [Content-Length]}}"), 6, 52,
       route + ".request_headers.remove[0]", "belongs to the connection"},
      {with_route("{pool: db, match: {header: {Connection: '*'}}}"), 6, 42,
       route + ".match.header.Connection", "cannot be matched"},
      {with_route("{pool: db, response_headers: {set: {X: \"a\\nb\"}}}"), 6, 53,
       route + ".response_headers.set.X", "control character"},
      {with_route("{pool: db, rewrite: {strip_prefix: api}}"), 6, 49,
       route + ".rewrite.strip_prefix", "must begin with /"},
      {with_route("{pool: db, rewrite: {host: 'a b'}}"), 6, 41, route + ".rewrite.host",
       "is no host name"},
      {with_route("{pool: db, rewrite: {host: '[::1'}}"), 6, 41, route + ".rewrite.host",
       "is no host name"},
      {with_route("{pool: db, rewrite: {host: 'a:99999'}}"), 6, 41, route + ".rewrite.host",
       "is no host name"},
      // What a route matches.
      {with_match("{host: 'a b'}"), 6, 29, match + ".host", "is no host name"},
      {with_match("{host: '*'}"), 6, 29, match + ".host", "is no host name"},
      {with_match("{host: 'a.*.example'}"), 6, 29, match + ".host", "is no host name"},
      {with_match("{host: 'a:80'}"), 6, 29, match + ".host", "without a port"},
      {with_match("{path: a}"), 6, 29, match + ".path", "must begin with /"},
      {with_match("{path: '/a*b'}"), 6, 29, match + ".path", "at its end only"},
      {with_match("{path: '/a?b'}"), 6, 29, match + ".path", "a path alone"},
      {with_match("{path: '/../a'}"), 6, 29, match + ".path", "is no path"},
      {with_match("{path: ['/a', '/%']}"), 6, 36, match + ".path[1]", "is no path"},
      {with_match("{method: 'G T'}"), 6, 31, match + ".method", "is no method"},
      {with_match("{header: {'a b': c}}"), 6, 32, match + ".header.'a b'", "is no header name"},
      {with_match("{header: [a]}"), 6, 31, match + ".header", "must be a map"},
      {with_match("{source: 10.0.0.1/8}"), 6, 31, match + ".source", ""},
      {with_match("{sni: a.example}"), 6, 23, match + ".sni", "for tcp listeners only"},
      {with_match("{authenticated: maybe}") + kVerifier, 6, 38, match + ".authenticated", "true"},
      {with_match("{authenticated: true}"), 6, 23, match + ".authenticated", "no section jwt"},
      {with_match("{country: DE}"), 6, 23, match + ".country", "reserved"},
      {with_match("{paths: /a}"), 6, 23, match + ".paths", "did you mean 'path'?"},
      // Pools.
      {with_http_pool("tls: {verify: no way}"), 5, 19, "pools.db.tls.verify", "true"},
      {with_http_pool("keep_alive_connections: off"), 5, 29, "pools.db.keep_alive_connections",
       "whole number"},
      {with_http_pool("sticky: {by: cookie, learn: ''}"), 5, 33, "pools.db.sticky.learn",
       "is no cookie's name"},
      {with_http_pool("sticky: {by: cookie, name: 'a b'}"), 5, 32, "pools.db.sticky.name",
       "is no cookie's name"},
      {with_http_pool("sticky: {by: cookie, learn: id, name: id}"), 5, 37, "pools.db.sticky.name",
       "not for those that it learns"},
      {with_http_pool("sticky: {by: cookie, learn: id, secret_file: a}"), 5, 37,
       "pools.db.sticky.secret_file", "not for those that it learns"},
      {with_http_pool("sticky: {by: cookie, secret_file: missing}"), 5, 39,
       "pools.db.sticky.secret_file", "cannot read"},
      {with_http_pool("sticky: {by: cookie, secret_file: /dev/null}"), 5, 39,
       "pools.db.sticky.secret_file", "holds no key"},
      {with_http_pool("sticky: {by: cookie, max_entries: 5}"), 5, 26, "pools.db.sticky.max_entries",
       "clients keep these cookies"},
      {with_http_pool("sticky: {by: header, header: X-Id, name: id}"), 5, 40,
       "pools.db.sticky.name", "for by: cookie only"},
      {with_http_pool("sticky: {by: jwt}"), 5, 5, "pools.db.sticky", "'jwt' is missing"},
      {with_http_pool("sticky: {by: jwt, jwt: shop}"), 5, 28, "pools.db.sticky.jwt",
       "no verifier 'shop'"},
      {with_http_pool("sticky: {by: jwt, jwt: shop, from: cookie}") + kVerifier, 5, 40,
       "pools.db.sticky.from", "not one of"},
      {with_http_pool("sticky: {by: jwt, jwt: shop, claim: ''}") + kVerifier, 5, 41,
       "pools.db.sticky.claim", ""},
      {with_http_pool("protocol: http"), 5, 15, "pools.db.protocol", "not one of http/1.1, h2"},
      {with_http_pool("timeouts: {response: 5}"), 5, 26, "pools.db.timeouts.response", "unit"},
      {with_http_pool("balance: hash\n    hash_on: 'header:'"), 6, 14, "pools.db.hash_on",
       "is no name of a header"},
      {with_http_pool("balance: hash\n    hash_on: path"), 6, 14, "pools.db.hash_on", "not one of"},
  };
}

}  // namespace lb::config
