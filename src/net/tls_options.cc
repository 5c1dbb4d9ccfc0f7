// SPDX-License-Identifier: MIT
#include "net/tls_options.h"

#include <openssl/ssl.h>

namespace lb {

void set_common_options(ssl_ctx_st* context) {
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_read_ahead(context, 1);
}

std::string alpn_list(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) {
    list.push_back(static_cast<char>(name.size()));
    list.append(name);
  }
  return list;
}

}  // namespace lb
