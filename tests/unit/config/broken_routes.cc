// SPDX-License-Identifier: MIT
// Mistakes in the section listeners.NAME.routes.
#include "broken_files.h"

namespace lb::config {

namespace {

// The only listener, with `routes`, which stand in line 5, column 13.
std::string with_routes(const std::string& routes) {
  return "pools: {db: {servers: ['10.0.0.1:5432']}}\n"
         "listeners:\n"
         "  a:\n"
         "    address: ':80'\n"
         "    routes: " +
         routes + "\n";
}

}  // namespace

std::vector<BrokenFile> broken_routes() {
  return {
      {with_routes("[]"), 5, 13, "listeners.a.routes", "not an empty one"},
      {with_routes("db"), 5, 13, "listeners.a.routes", "must be a list"},
      {with_routes("[db]"), 5, 14, "listeners.a.routes[0]", "must be a map"},
      {with_routes("[{match: {sni: a.b}}]"), 5, 14, "listeners.a.routes[0]", "'pool' is missing"},
      {with_routes("[{pool: nowhere}]"), 5, 21, "listeners.a.routes[0].pool", "no pool 'nowhere'"},
      {with_routes("[{pool: db}]\n    pool: db"), 6, 5, "listeners.a.pool", "beside 'routes'"},
      {with_routes("[{pool: db, split: {db: 1}}]"), 5, 25, "listeners.a.routes[0].split",
       "exactly one"},
      {with_routes("[{split: {db: 0}}]"), 5, 15, "listeners.a.routes[0].split", "above 0"},
      {with_routes("[{split: {db: 1.5}}]"), 5, 27, "listeners.a.routes[0].split.db",
       "whole number"},
      {with_routes("[{split: {db: 1, dc: 1}}]"), 5, 34, "listeners.a.routes[0].split.dc",
       "did you mean 'db'"},
      {with_routes("[{match: {sni: 'a b'}, pool: db}]"), 5, 28, "listeners.a.routes[0].match.sni",
       "no host name"},
      {with_routes("[{match: {sni: '*'}, pool: db}]"), 5, 28, "listeners.a.routes[0].match.sni",
       "no host name"},
      {with_routes("[{match: {sni: 'a.*.b'}, pool: db}]"), 5, 28, "listeners.a.routes[0].match.sni",
       "no host name"},
      {with_routes("[{match: {sni: [a.b, '']}, pool: db}]"), 5, 34,
       "listeners.a.routes[0].match.sni[1]", "no host name"},
      {with_routes("[{match: {source: 10.0.0.1/8}, pool: db}]"), 5, 31,
       "listeners.a.routes[0].match.source", ""},
      {with_routes("[{match: {host: a.b}, pool: db}]"), 5, 23, "listeners.a.routes[0].match.host",
       "does not apply: for http listeners only"},
      {with_routes("[{match: {country: DE}, pool: db}]"), 5, 23,
       "listeners.a.routes[0].match.country", ""},
      {with_routes("[{matches: {}, pool: db}]"), 5, 15, "listeners.a.routes[0].matches",
       "did you mean 'match'"},
      {with_routes("[{redirect: {to: x}, pool: db}]"), 5, 15, "listeners.a.routes[0].redirect",
       "does not apply"},
      {with_routes("[{limits: {}, pool: db}]"), 5, 15, "listeners.a.routes[0].limits",
       "for http listeners only"},
  };
}

}  // namespace lb::config
