// SPDX-License-Identifier: MIT
#include "net/tls_error.h"

#include <openssl/err.h>

namespace lb {

std::string tls_error() {
  std::string text = tls_error(ERR_peek_error());
  ERR_clear_error();
  return text;
}

std::string tls_error(unsigned long code) {
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "unknown error of OpenSSL";
}

}  // namespace lb
