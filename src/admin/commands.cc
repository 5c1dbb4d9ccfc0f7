// SPDX-License-Identifier: MIT
#include "admin/commands.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

#include "admin/table.h"
#include "common/log.h"
#include "config/addresses.h"
#include "config/file_text.h"
#include "config/suggest.h"

namespace lb::admin {

namespace {

constexpr const char* kDefaultAddress = "127.0.0.1:9900";
constexpr size_t kLongestToken = 4'096;
constexpr int kFirstCheckMs = 40'000;  // the first check of a new server may take long

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
  return value == nullptr ? "" : value;
}

// A field of an answer as text: the other side may be another version, so nothing is certain.
std::string text_of(const Json& object, const char* name) {
  auto found = object.is_object() ? object.find(name) : object.end();
  if (!object.is_object() || found == object.end() || found->is_null()) return "-";
  return found->is_string() ? found->get<std::string>() : to_text(*found);
}

std::string full_name(const Json& server) {
  return text_of(server, "pool") + "/" + text_of(server, "name");
}

std::string address_of(const Json& server) {
  std::string host = text_of(server, "host");
  if (host.starts_with('/')) return "unix:" + host;
  bool is_ipv6 = host.find(':') != std::string::npos;
  if (is_ipv6) host = "[" + host + "]";
  return host + ":" + text_of(server, "port");
}

std::string milliseconds_of(const Json& server, const char* name) {
  auto found = server.find(name);
  if (found == server.end() || !found->is_number()) return "-";
  return fmt::format("{:.1f} ms", found->get<double>());
}

std::string duration_text(int64_t ms) {
  int64_t minutes = ms / 60'000;
  if (minutes == 0) return fmt::format("{} s", ms / 1'000);
  if (minutes < 60) return fmt::format("{} min", minutes);
  if (minutes < 60 * 24) return fmt::format("{} h {} min", minutes / 60, minutes % 60);
  return fmt::format("{} d {} h", minutes / 60 / 24, minutes / 60 % 24);
}

Result<Json> list_of_servers(const AdminTarget& target, const std::string& pool = "") {
  if (!pool.empty() && !config::is_name(pool)) return fail("there is no such pool");
  std::string path = "/api/servers";
  if (!pool.empty()) path += "?pool=" + pool;
  auto servers = call_api(target, "GET", path);
  if (servers && !servers->is_array()) return fail("the answer is no list of servers");
  return servers;
}

// The server POOL/SERVER, or an error that says what was meant.
Result<Json> find_server(const AdminTarget& target, const std::string& wanted) {
  auto servers = list_of_servers(target);
  if (!servers) return servers;
  std::vector<std::string> names;
  for (const Json& server : *servers) {
    names.push_back(full_name(server));
    if (names.back() == wanted) return server;
  }
  for (const std::string& name : names) {
    if (name.substr(name.find('/') + 1) == wanted) {
      return fail(fmt::format("write POOL/SERVER: did you mean '{}'?", name));
    }
  }
  std::vector<std::string_view> candidates(names.begin(), names.end());
  std::string_view meant = config::closest(wanted, candidates);
  return fail(fmt::format(
      "there is no server '{}'; {}", wanted,
      meant.empty() ? "lb servers lists them" : fmt::format("did you mean '{}'?", meant)));
}

}  // namespace

void print_json(const Json& json) {
  fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
}

Result<AdminTarget> find_target(const std::string& address, const std::string& token_file,
                                const std::string& ca_file) {
  AdminTarget target;
  target.address = address.empty() ? from_environment("LB_ADMIN") : address;
  if (target.address.empty()) target.address = kDefaultAddress;
  target.tls = target.address.starts_with("https://");
  if (target.tls) target.address.erase(0, 8);
  if (target.address.starts_with("http://")) target.address.erase(0, 7);
  if (target.address.ends_with('/')) target.address.pop_back();
  target.ca_file = ca_file.empty() ? from_environment("LB_ADMIN_CA") : ca_file;
  target.token = from_environment("LB_ADMIN_TOKEN");
  if (token_file.empty()) return target;
  auto bytes = config::read_file(token_file, kLongestToken);
  if (!bytes) return fail(fmt::format("cannot read {}: {}", token_file, bytes.error().message));
  target.token = bytes->substr(0, bytes->find_first_of("\r\n"));
  return target;
}

Result<int> show_status(const AdminTarget& target, bool as_json) {
  auto health = call_api(target, "GET", "/api/health");
  if (!health) return Unexpected{health.error()};
  std::string status = text_of(*health, "status");
  int code = status == "unhealthy" ? 1 : 0;
  if (as_json) {
    print_json(*health);
    return code;
  }
  auto servers = list_of_servers(target);
  if (!servers) return Unexpected{servers.error()};
  fmt::print("{}, up {}\n\n", status, duration_text(health->value("uptime", int64_t{0})));
  std::map<std::string, std::map<std::string, size_t>> pools;
  for (const Json& server : *servers) ++pools[text_of(server, "pool")][text_of(server, "status")];
  Table table({{"POOL"}, {"SERVERS"}});
  for (const auto& [pool, counts] : pools) {
    std::vector<std::string> parts;
    for (const auto& [word, count] : counts) parts.push_back(fmt::format("{} {}", count, word));
    table.add({pool, fmt::format("{}", fmt::join(parts, ", "))});
  }
  fmt::print("{}", table.to_string());
  return code;
}

Result<int> show_servers(const AdminTarget& target, const std::string& pool, bool as_json) {
  auto servers = list_of_servers(target, pool);
  if (!servers) return Unexpected{servers.error()};
  if (as_json) {
    print_json(*servers);
    return 0;
  }
  Table table({{"POOL"},
               {"SERVER"},
               {"ADDRESS"},
               {"STATUS"},
               {"WEIGHT", true},
               {"ACTIVE", true},
               {"TOTAL", true},
               {"RESPONSE", true}});
  for (const Json& server : *servers) {
    table.add({text_of(server, "pool"), text_of(server, "name"), address_of(server),
               text_of(server, "status"), text_of(server, "weight"),
               text_of(server, "activeConnections"), text_of(server, "totalRequests"),
               milliseconds_of(server, "responseTime")});
  }
  fmt::print("{}", table.to_string());
  return 0;
}

Result<int> set_server_state(const AdminTarget& target, const std::string& server,
                             const std::string& state, bool as_json) {
  auto found = find_server(target, server);
  if (!found) return Unexpected{found.error()};
  auto changed = call_api(target, "PUT", "/api/servers/" + text_of(*found, "serverId") + "/state",
                          {{"state", state}});
  if (!changed) return Unexpected{changed.error()};
  if (as_json) {
    print_json(*changed);
    return 0;
  }
  fmt::print("{} is {}; {} open\n", server, text_of(*changed, "status"),
             text_of(*changed, "activeConnections"));
  return 0;
}

Result<int> add_server(const AdminTarget& target, const AddOptions& options, bool as_json) {
  size_t slash = options.where.find('/');
  size_t colon = options.address.rfind(':');
  std::string_view port_text = std::string_view(options.address).substr(colon + 1);
  uint32_t port = 0;
  auto parsed = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  bool is_address = colon != std::string::npos && parsed.ec == std::errc() &&
                    parsed.ptr == port_text.data() + port_text.size();
  if (!is_address) return fail(fmt::format("'{}' is no HOST:PORT", options.address));
  Json body = {{"pool", options.where.substr(0, slash)},
               {"host", options.address.substr(0, colon)},
               {"port", port},
               {"weight", options.weight},
               {"backup", options.backup}};
  if (slash != std::string::npos) body["name"] = options.where.substr(slash + 1);
  if (!options.check_path.empty()) body["healthCheckPath"] = options.check_path;
  if (!options.check_interval.empty()) body["healthCheckInterval"] = options.check_interval;
  auto added = call_api(target, "POST", "/api/servers", body, kFirstCheckMs);
  if (!added) return Unexpected{added.error()};
  if (as_json) {
    print_json(*added);
  } else {
    fmt::print("{} is {}\n", full_name(*added), text_of(*added, "status"));
  }
  return 0;
}

Result<int> remove_server(const AdminTarget& target, const std::string& server, bool as_json) {
  auto found = find_server(target, server);
  if (!found) return Unexpected{found.error()};
  auto removed = call_api(target, "DELETE", "/api/servers/" + text_of(*found, "serverId"));
  if (!removed) return Unexpected{removed.error()};
  if (as_json) {
    print_json(*removed);
  } else {
    fmt::print("{} is removed; {} open\n", server, text_of(*removed, "activeConnections"));
  }
  return 0;
}

Result<int> reload(const AdminTarget& target, bool as_json) {
  auto reloaded = call_api(target, "POST", "/api/reload");
  if (!reloaded) return Unexpected{reloaded.error()};
  if (as_json) {
    print_json(*reloaded);
  } else {
    fmt::print("reloaded\n");
  }
  return 0;
}

}  // namespace lb::admin
