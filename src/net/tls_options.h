// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

struct ssl_ctx_st;

namespace lb {

// What every context, of either side, is set to: no buffers while idle, one read(2) for several
// small records, partial writes, no renegotiation, no compression.
void set_common_options(ssl_ctx_st* context);

// Protocol names as ALPN sends them: each behind its length.
std::string alpn_list(const std::vector<std::string>& names);

}  // namespace lb
