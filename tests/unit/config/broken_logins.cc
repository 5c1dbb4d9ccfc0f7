// SPDX-License-Identifier: MIT
// Mistakes in health checks that run scripts or log in to databases.
#include "broken_files.h"

namespace lb::config {

std::vector<BrokenFile> broken_logins() {
  const std::string check = "pools.db.health_check";
  auto script = [](const std::string& text) {
    return with_pool("health_check: {type: script" + text + "}");
  };
  auto redis = [](const std::string& text) {
    return with_pool("health_check: {type: redis" + text + "}");
  };
  std::string many_words = "/bin/true";
  for (int i = 0; i < 64; ++i) many_words += ", x";
  std::string long_words = "/bin/true";
  for (int i = 0; i < 5; ++i) long_words += ", " + std::string(4'000, 'x');
  return {
      {script(""), 5, 5, check, "'command' is missing: the script and its arguments"},
      {script(", command:"), 5, 42, check + ".command", "not empty"},
      {script(", command: []"), 5, 43, check + ".command", "not an empty one"},
      {script(", command: {a: b}"), 5, 43, check + ".command", "not a map"},
      {script(", command: check.sh"), 5, 43, check + ".command",
       "'check.sh' is not the absolute path of a file"},
      {script(", command: [check.sh]"), 5, 44, check + ".command[0]", "not the absolute path"},
      {script(", command: [/etc/lb/]"), 5, 44, check + ".command[0]", "not the absolute path"},
      {script(", command: [/bin/echo, [a]]"), 5, 55, check + ".command[1]", "not a list"},
      {script(", command: [/bin/echo, \"a\\0b\"]"), 5, 55, check + ".command[1]", "zero byte"},
      {script(", command: [" + many_words + "]"), 5, 244, check + ".command[64]",
       "more than 64 words"},
      {script(", command: [" + long_words + "]"), 5, 16'063, check + ".command[5]",
       "longer than 16 KiB"},
      {script(", command: [/bin/true], user: app"), 5, 56, check + ".user", "does not apply"},
      {with_pool("health_check: {type: postgres}"), 5, 5, check,
       "'user' is missing: the user to log in as"},
      {with_pool("health_check: {type: mysql, role: replica}"), 5, 5, check, "'user' is missing"},
      {with_pool("health_check: {type: mysql, user: app, max_lag: 0s}"), 5, 53, check + ".max_lag",
       "1ms to 365d"},
      {with_pool("health_check: {type: postgres, user: app, send: x}"), 5, 47, check + ".send",
       "does not apply"},
      {redis(", role: master"), 5, 39, check + ".role", "not one of primary, replica"},
      {redis(", role: [primary]"), 5, 39, check + ".role", "not a list"},
      {redis(", user: 'a b'"), 5, 39, check + ".user", "'a b' is no user name"},
      {redis(", database: ''"), 5, 43, check + ".database", "is no name of a database"},
      {redis(", password_file: /no/such/file"), 5, 48, check + ".password_file",
       "cannot read the file: No such file"},
      {redis(", password_file: /dev/null"), 5, 48, check + ".password_file",
       "holds no password of 1 to 4096 bytes"},
      {redis(", password: secret"), 5, 33, check + ".password", "did you mean 'password_file'?"},
      {redis(", max_lag: 1s"), 5, 33, check + ".max_lag", "does not apply"},
      {redis(", command: [/bin/true]"), 5, 33, check + ".command", "does not apply"},
  };
}

}  // namespace lb::config
