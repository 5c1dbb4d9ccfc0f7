// SPDX-License-Identifier: MIT
// A whole configuration as PUT /api/config sends it: whatever it says, what only the file may set
// comes from the file.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "config/loader.h"

namespace {

constexpr std::string_view kFile = R"(
admin: {address: "127.0.0.1:9900", token: secretsecret}
listeners: {web: {address: ":80", pool: app}}
pools: {app: {servers: [10.0.0.1:80], health_check: {type: script, command: [/bin/true]}}}
)";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto file = lb::load_config_text(kFile, "/nonexistent");
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto sent = lb::load_sent(text, file->document, file->document, "/nonexistent", nullptr);
  if (!sent) {
    bool says_why =
        sent.error().forbidden ? !sent.error().message.empty() : !sent.error().problems.empty();
    if (!says_why) std::abort();
    return 0;
  }
  if (!sent->config.admin || sent->config.admin->token != "secretsecret") std::abort();
  for (const auto& [name, pool] : sent->config.pools) {
    const auto& command = pool.health_check.command;
    if (!command.empty() && command != std::vector<std::string>{"/bin/true"}) std::abort();
  }
  // What is shown can be sent back.
  auto again = lb::load_sent(lb::to_text(sent->document.shown()), sent->document, sent->document,
                             "/nonexistent", nullptr);
  if (!again || again->document.fingerprint() != sent->document.fingerprint()) std::abort();
  return 0;
}
