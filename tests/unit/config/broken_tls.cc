// SPDX-License-Identifier: MIT
// Mistakes in the sections listeners.NAME.tls and pools.NAME.tls. What is wrong inside of files:
// tests/unit/app/tls_inspection_test.cc.
#include "broken_files.h"

namespace lb::config {

namespace {

// `tls: TEXT` of the only listener, whose value stands in line 6, column 10.
std::string with_tls(const std::string& text) {
  return with_listener("tls: " + text);
}

}  // namespace

std::vector<BrokenFile> broken_tls() {
  const std::string path = "listeners.a.tls";
  // A file that can be read, whatever it holds.
  const std::string good = "certificates: [{certificate: /etc/passwd, key: /etc/passwd}]";
  return {
      {with_tls("on"), 6, 10, path, "must be a map"},
      {with_tls("{}"), 6, 5, path, "'certificates' is missing"},
      {with_tls("{certificates: []}"), 6, 25, path + ".certificates", "not an empty one"},
      {with_tls("{certificates: a.pem}"), 6, 25, path + ".certificates", "must be a list"},
      {with_tls("{certificates: [{key: /etc/passwd}]}"), 6, 26, path + ".certificates[0]",
       "'certificate' is missing"},
      {with_tls("{certificates: [{certificate: /etc/passwd}]}"), 6, 26, path + ".certificates[0]",
       "'key' is missing"},
      {with_tls("{certificates: [{certificate: no.pem, key: /etc/passwd}]}"), 6, 40,
       path + ".certificates[0].certificate", "cannot read /nonexistent/no.pem"},
      {with_tls("{certificates: [{certificate: /etc/passwd, key: /etc}]}"), 6, 58,
       path + ".certificates[0].key", "Is a directory"},
      {with_tls("{certificates: [{certificate: /etc/passwd, key: /etc/passwd, ocsp: no}]}"), 6, 77,
       path + ".certificates[0].ocsp", "cannot read"},
      {with_tls("{certificates: [{certificate: /etc/passwd, key: /etc/passwd, acme: {}}]}"), 6, 71,
       path + ".certificates[0].acme", ""},
      {with_tls("{" + good + ", min_version: 1.1}"), 6, 86, path + ".min_version",
       "'1.1' is not one of 1.2, 1.3"},
      {with_tls("{" + good + ", starttls: smtp}"), 6, 83, path + ".starttls",
       "'smtp' is not one of postgres"},
      {with_tls("{" + good + ", alpn: [h2]}"), 6, 73, path + ".alpn", "for http listeners only"},
      {with_tls("{" + good + ", client_auth: {mode: required}}"), 6, 73, path + ".client_auth",
       "'ca' is missing"},
      {with_tls("{" + good + ", client_auth: {mode: maybe, ca: /etc/passwd}}"), 6, 93,
       path + ".client_auth.mode", "not one of required, optional"},
      {with_tls("{" + good + ", ticket_keys: no}"), 6, 86, path + ".ticket_keys", "cannot read"},
      {with_tls("{" + good + ", session_ticket: true}"), 6, 73, path + ".session_ticket",
       "did you mean 'session_tickets'"},
      {with_pool("tls: {verify: perhaps}"), 5, 19, "pools.db.tls.verify", "true"},
      {with_pool("tls: {ca: no.pem}"), 5, 15, "pools.db.tls.ca", "cannot read"},
      {with_pool("tls: {key: /etc/passwd}"), 5, 5, "pools.db.tls", "'certificate' is missing"},
      {with_pool("tls: {certificate: /etc/passwd}"), 5, 5, "pools.db.tls", "'key' is missing"},
      {with_pool("tls: {server_name: ''}"), 5, 24, "pools.db.tls.server_name", ""},
  };
}

}  // namespace lb::config
