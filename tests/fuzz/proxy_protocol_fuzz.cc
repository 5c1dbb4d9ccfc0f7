// SPDX-License-Identifier: MIT
// The PROXY protocol parser over any bytes: it agrees with itself at every split, and what it reads
// can be written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "net/proxy_protocol.h"

namespace {

using State = lb::ProxyParse::State;

void require(bool holds) {
  if (!holds) std::abort();
}

// Before the end of a header its parts are incomplete; once invalid, no byte makes it valid.
void check_split(std::string_view bytes, size_t size, const lb::ProxyParse& whole) {
  lb::ProxyParse part = lb::parse_proxy_header(bytes.substr(0, size));
  if (whole.state == State::complete) {
    require(part.state == (size < whole.length ? State::incomplete : State::complete));
  } else if (whole.state == State::incomplete) {
    require(part.state == State::incomplete);
  } else {
    require(part.state != State::complete);
  }
  require(part.length == (part.state == State::complete ? whole.length : 0));
}

void check_round_trip(const lb::ProxyHeader& header) {
  std::string v2 = lb::proxy_header_v2(header.source, header.destination);
  lb::ProxyParse again = lb::parse_proxy_header(v2);
  require(again.state == State::complete && again.length == v2.size());
  require(again.header.source == header.source);
  require(again.header.destination == header.destination);
  if (!header.source.is_ip()) return;
  std::string v1 = lb::proxy_header_v1(header.source, header.destination);
  require(v1.size() <= 107);
  again = lb::parse_proxy_header(v1);
  require(again.state == State::complete && again.length == v1.size());
  require(again.header.source == header.source);
  require(again.header.destination == header.destination);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  lb::ProxyParse whole = lb::parse_proxy_header(bytes);
  require(whole.length <= size && whole.length <= lb::kMaxProxyHeader);
  require(whole.state == State::complete || whole.length == 0);
  if (whole.state == State::incomplete) require(size < lb::kMaxProxyHeader);
  for (size_t split = 0; split < size && split < 256; ++split) check_split(bytes, split, whole);
  if (whole.length > 0) check_split(bytes, whole.length - 1, whole);
  if (whole.state == State::complete) check_round_trip(whole.header);
  return 0;
}
