// SPDX-License-Identifier: MIT
// Mistakes in the section admin.
#include "broken_files.h"

namespace lb::config {

std::vector<BrokenFile> broken_admin() {
  return {
      {with_section("admin: 127.0.0.1:9900"), 3, 8, "admin", "must be a map, not a single value"},
      {with_section("admin: [a]"), 3, 8, "admin", "must be a map, not a list"},
      {with_section("admin: {adress: ':1'}"), 3, 9, "admin.adress", "did you mean 'address'?"},
      {with_section("admin: {address: 9900}"), 3, 18, "admin.address", "has no ':'"},
      {with_section("admin: {address: [127.0.0.1:9900]}"), 3, 18, "admin.address", "not a list"},
      {with_section("admin: {address: 'unix:admin.sock'}"), 3, 18, "admin.address", "is absolute"},
      {with_section("admin: {address: '0.0.0.0:9900'}"), 3, 18, "admin.address",
       "is not on loopback, where admin needs a token and TLS"},
      {with_section("admin: {address: ':9900', token: 123456789012}"), 3, 18, "admin.address",
       "not on loopback"},
      {with_section("admin: {address: '127.0.0.1:80'}"), 1, 26, "listeners.a.address",
       ":80 is taken by 127.0.0.1:80 of listener 'admin' in line 3"},
      {with_section("admin: {token: short}"), 3, 16, "admin.token",
       "a token has 12 to 1024 characters; this one has 5"},
      {with_section("admin: {token: }"), 3, 16, "admin.token", "must be a token, not empty"},
      {with_section("admin: {token: 'twelve and more'}"), 3, 16, "admin.token",
       "visible ASCII characters without spaces"},
      {with_section("admin: {token: \"secretsecret\\n\"}"), 3, 16, "admin.token", "visible ASCII"},
      {with_section("admin: {token_file: none}"), 3, 21, "admin.token_file",
       "cannot read the file: No such file"},
      {with_section("admin: {token_file: ''}"), 3, 21, "admin.token_file", "path of a file"},
      {with_section("admin: {token: secretsecret, token_file: /dev/null}"), 3, 30,
       "admin.token_file", "there is a 'token' already"},
      {with_section("admin: {token_file: /dev/null}"), 3, 21, "admin.token_file",
       "in that file: a token has 12 to 1024 characters"},
      {with_section("admin: {token_file: /dev/zero}"), 3, 21, "admin.token_file",
       "in that file: a token has"},
      {with_section("admin: {hosts: ['http://lb']}"), 3, 17, "admin.hosts[0]",
       "is no host name; write it without scheme and port"},
      {with_section("admin: {hosts: ['lb:80']}"), 3, 17, "admin.hosts[0]", "is no host name"},
      {with_section("admin: {hosts: {a: b}}"), 3, 16, "admin.hosts", "must be a list"},
      {with_section("admin: {tls: {certificate: /dev/null}}"), 3, 9, "admin.tls", "private key"},
      {with_section("admin: {tls: {certificate: /dev/null, key: none}}"), 3, 44, "admin.tls.key",
       "cannot read"},
      {with_section("admin: {tls: {certificate: /dev/null, key: /dev/null, ca: a.pem}}"), 3, 55,
       "admin.tls.ca", "unknown key"},
      {with_section("admin: {address: 'unix:/run/lb.sock', tls: {certificate: /dev/null, key: "
                    "/dev/null}}"),
       3, 39, "admin.tls", "a unix socket speaks no TLS"},
      {with_section("admin: {address: '0.0.0.0:9900', tls: {certificate: /dev/null, key: "
                    "/dev/null}}"),
       3, 18, "admin.address", "needs a token and TLS"},
      {with_section("admin: {address: '0.0.0.0:9900', token: secretsecret, tls: off}"), 3, 18,
       "admin.address", "needs a token and TLS"},
      {with_section("admin: {state_file: ''}"), 3, 21, "admin.state_file", "path of a file"},
      {with_section("admin: {state_file: [a]}"), 3, 21, "admin.state_file", "not a list"},
  };
}

}  // namespace lb::config
