// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/jwt.h"

namespace lb {

// What only a TLS library can tell of the files that a configuration names. The loader asks at the
// place of each file; who starts the program answers (app/tls_inspection.h), for this layer knows
// no such library.
class TlsInspector {
 public:
  // At most one of both; the words follow the name of a file.
  struct Finding {
    std::string error;
    std::string warning;
  };

  virtual ~TlsInspector() = default;
  // A server's or client's own certificate in PEM.
  virtual Finding certificate(std::string_view pem) const = 0;
  // A private key in PEM, and whether the certificate is its own ("" = not to be compared).
  virtual Finding key(std::string_view pem, std::string_view certificate) const = 0;
  // An OCSP response in DER, and whether it speaks of the certificate.
  virtual Finding ocsp(std::string_view der, std::string_view certificate) const = 0;
  // Certificates of authorities in PEM.
  virtual Finding authorities(std::string_view pem) const = 0;
  virtual Finding ticket_keys(std::string_view bytes) const = 0;
  // Keys that tokens are checked by; `misfit` tells of an algorithm that has none.
  struct KeysFinding {
    std::string error;
    std::string misfit;
    std::string warning;
  };
  virtual KeysFinding jwt_keys(JwtKeyFile kind, std::string_view bytes,
                               const std::vector<JwtAlgorithm>& algorithms) const = 0;
  // No file but the list itself.
  virtual Finding ciphers(std::string_view list) const = 0;
};

}  // namespace lb
