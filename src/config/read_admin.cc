// SPDX-License-Identifier: MIT
// The section admin.
#include <algorithm>

#include "common/log.h"
#include "config/addresses.h"
#include "config/file_text.h"
#include "config/sections.h"

namespace lb::config {

namespace {

constexpr size_t kShortestToken = 12;
constexpr size_t kLongestToken = 1'024;
constexpr std::string_view kDefaultAddress = "127.0.0.1:9900";

// What can stand in an Authorization field as it is.
Result<std::string> checked_token(std::string_view text) {
  auto is_visible = [](char c) { return c > 0x20 && c < 0x7F; };
  if (text.size() < kShortestToken || text.size() > kLongestToken) {
    return fail(fmt::format("a token has {} to {} characters; this one has {}", kShortestToken,
                            kLongestToken, text.size()));
  }
  if (!std::all_of(text.begin(), text.end(), is_visible)) {
    return fail("a token is visible ASCII characters without spaces");
  }
  return std::string(text);
}

// No error shows what the token is.
void read_token(Section& section, const std::filesystem::path& directory, std::string& token) {
  auto written = section.find("token");
  auto in_file = section.find("token_file");
  if (written && in_file) {
    return in_file->error_at_key("there is a 'token' already; give one of the two");
  }
  if (written) {
    if (auto text = written->as(Scalar<std::string>{"a token", checked_token, true})) {
      token = std::move(*text);
    }
  }
  if (!in_file) return;
  auto name = in_file->as(file_path());
  if (!name) return;
  auto bytes = read_file(directory / *name, kLongestToken + 2);
  if (!bytes) {
    return in_file->error(fmt::format("cannot read the file: {}", bytes.error().message));
  }
  std::string_view text = *bytes;
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  auto checked = checked_token(text);
  if (!checked) return in_file->error("in that file: " + checked.error().message);
  token = std::move(*checked);
}

Scalar<std::string> host_name() {
  return {"a host name", [](std::string_view text) -> Result<std::string> {
            bool is_plain = !text.empty() && text.size() <= 253 &&
                            text.find_first_of(" \t/:@[]*") == std::string_view::npos;
            if (!is_plain) {
              return fail(quote(text) + " is no host name; write it without scheme and port");
            }
            return std::string(text);
          }};
}

}  // namespace

void read_admin(const Value& value, Draft& draft) {
  if (value.is_off() || value.is_null()) return;
  Section section(value);
  AdminConfig admin;
  ListenAddress listen = *listen_address().parse(kDefaultAddress);
  auto address = section.find("address");
  if (address) {
    if (auto written = address->as(listen_address())) listen = std::move(*written);
  }
  const Value& place = address ? *address : value;
  auto tls = section.find("tls");
  if (tls && tls->is_off()) tls.reset();
  bool has_both = (section.has("token") || section.has("token_file")) && tls;
  if (listen.address.is_ip() && !listen.address.is_loopback() && !has_both) {
    place.error(
        fmt::format("{} is not on loopback, where admin needs a token and TLS; give both 'token' "
                    "and 'tls', or use 127.0.0.1:9900 or unix:/run/lb/admin.sock",
                    quote(listen.text)));
  }
  admin.address = listen.address;
  admin.dual_stack = listen.dual_stack;
  draft.listen_claims.push_back({place, "admin", std::move(listen)});
  read_token(section, draft.directory, admin.token);
  auto hosts = section.find("hosts");
  if (hosts && !hosts->is_empty_list()) {
    for (const Value& item : hosts->one_or_more("host names")) {
      if (auto name = item.as(host_name())) admin.hosts.push_back(std::move(*name));
    }
  }
  if (auto file = section.find("state_file"); file && !file->is_off()) {
    if (auto name = file->as(file_path())) admin.state_file = draft.directory / *name;
  }
  if (tls) {
    if (admin.address.is_unix()) {
      tls->error_at_key("a unix socket speaks no TLS; its permissions are its access control");
    }
    read_admin_tls(*tls, draft, admin);
  }
  if (value.is_map()) draft.config.admin = std::move(admin);
}

}  // namespace lb::config
