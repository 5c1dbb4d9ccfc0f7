// SPDX-License-Identifier: MIT
// Mistakes in the section jwt.
#include "broken_files.h"

namespace lb::config {

std::vector<BrokenFile> broken_jwt() {
  return {
      {with_section("jwt: {shop: {algorithms: [none], secret_file: /dev/null}}"), 3, 27,
       "jwt.shop.algorithms[0]", "never allowed"},
      {with_section("jwt: {shop: {algorithms: RS128, secret_file: /dev/null}}"), 3, 26,
       "jwt.shop.algorithms", "not one of HS256"},
      {with_section("jwt: {shop: {secret_file: /dev/null}}"), 3, 7, "jwt.shop",
       "'algorithms' is missing"},
      {with_section("jwt: {shop: {algorithms: HS256}}"), 3, 7, "jwt.shop",
       "needs one of jwks_file"},
      {with_section("jwt: {shop: {algorithms: HS256, secret_file: missing}}"), 3, 46,
       "jwt.shop.secret_file", "cannot read"},
      {with_section("jwt: {shop: {algorithms: HS256, secret_file: /dev/null, leeway: 90}}"), 3, 65,
       "jwt.shop.leeway", "no unit"},
      {with_section("jwt: {shop: {algorithms: HS256, secret_file: /dev/null, jwks_url: "
                    "https://id.example}}"),
       3, 57, "jwt.shop.jwks_url", "reserved"},
      {with_section("jwt: {shop: {algorithms: HS256, secret_file: /dev/null, secret: x}}"), 3, 57,
       "jwt.shop.secret", "unknown key"},
      {with_section(
           "jwt: {shop: {algorithms: HS256, jwks_file: /dev/null, secret_file: /dev/null}}"),
       3, 55, "jwt.shop.secret_file", "only one of"},
  };
}

}  // namespace lb::config
