// SPDX-License-Identifier: MIT
#include "config/one_line.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/log.h"
#include "config/scalar.h"

namespace lb {

namespace {

// In single quotes YAML knows no escape but the doubled quote; "${" would be a variable.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'') out += '\'';
    if (c == '{' && out.back() == '$') out.insert(out.size() - 1, 1, '$');
    out += c;
  }
  return out + "'";
}

std::string quoted(const std::vector<std::string>& texts) {
  std::vector<std::string> all;
  all.reserve(texts.size());
  for (const std::string& text : texts) all.push_back(quoted(text));
  return fmt::format("[{}]", fmt::join(all, ", "));
}

// The variables that configure one listener, and what is wrong with them.
class Environment {
 public:
  explicit Environment(const std::function<const char*(const char*)>& variable)
      : variable_(variable) {}

  OneLine line() {
    OneLine made;
    made.protocol = "http";
    made.to = servers(made.tls);
    made.balance = value("ALGORITHM", "round_robin");
    std::string host = value("HOST", "0.0.0.0");
    if (host.find(':') != std::string::npos && !host.starts_with('[')) host = "[" + host + "]";
    std::string port = value("PORT", "8080");
    auto number = config::whole_number(1, 65'535).parse(port);
    if (!number) problem("PORT", number.error().message);
    made.listen = {host + ":" + (number ? port : "8080")};
    std::string admin = value("ADMIN", "127.0.0.1:9900");
    if (admin != "off") made.admin = admin;
    made.token = value("LB_ADMIN_TOKEN", "");
    return made;
  }

  std::vector<ConfigProblem> problems;

 private:
  std::string value(const char* name, const char* otherwise) const {
    const char* found = variable_(name);
    return found == nullptr || *found == '\0' ? otherwise : found;
  }

  void problem(const char* name, std::string message) {
    problems.push_back({1, 1, name, std::move(message)});
  }

  // "http://a:1, https://b, c:2"; `tls` becomes whether they are spoken to by TLS.
  std::vector<std::string> servers(bool& tls) {
    std::vector<std::string> found;
    std::string all = value("BACKEND_SERVERS", "");
    size_t with_tls = 0;
    for (size_t begin = 0; begin <= all.size();) {
      size_t end = std::min(all.find(',', begin), all.size());
      std::string one = all.substr(begin, end - begin);
      begin = end + 1;
      one.erase(0, one.find_first_not_of(" \t\n"));
      one.erase(one.find_last_not_of(" \t\n") + 1);
      if (one.empty()) continue;
      with_tls += one.starts_with("https://") ? 1 : 0;
      found.push_back(server(one));
    }
    if (found.empty()) {
      problem("BACKEND_SERVERS",
              "names no server; it lists them, such as http://10.0.0.1:8080,http://10.0.0.2:8080");
    }
    tls = with_tls > 0;
    if (tls && with_tls < found.size()) {
      problem("BACKEND_SERVERS", "https:// must be at all of the servers or at none");
    }
    return found;
  }

  std::string server(const std::string& text) {
    std::string address = text;
    const char* port = nullptr;
    for (const auto& [scheme, its_port] :
         {std::pair{"http://", ":80"}, std::pair{"https://", ":443"}}) {
      if (!text.starts_with(scheme)) continue;
      address.erase(0, std::string_view(scheme).size());
      port = its_port;
    }
    if (address.ends_with('/')) address.pop_back();
    if (address.find('/') != std::string::npos && !address.starts_with("unix:")) {
      problem("BACKEND_SERVERS", fmt::format("'{}': write http://host:port, https://host:port or "
                                             "host:port, without a path",
                                             text));
    }
    size_t host_end = address.rfind(']');
    bool has_port =
        address.find(':', host_end == std::string::npos ? 0 : host_end) != std::string::npos;
    return port == nullptr || has_port ? address : address + port;
  }

  const std::function<const char*(const char*)>& variable_;
};

// The variable that a key of the configuration was made of.
const char* variable_of(const std::string& path) {
  if (path.starts_with("admin.token")) return "LB_ADMIN_TOKEN";
  if (path.starts_with("admin")) return "ADMIN";
  if (path.starts_with("listeners")) return "HOST";
  return path.find(".balance") == std::string::npos ? "BACKEND_SERVERS" : "ALGORITHM";
}

}  // namespace

std::string config_text(const OneLine& line) {
  // Nobody could say how to check a udp server, and silence is no check.
  const char* health = line.protocol == "udp" ? ", health_check: off" : "";
  std::string text = fmt::format(
      "listeners:\n"
      "  {0}: {{protocol: {0}, pool: {0}, address: {1}}}\n"
      "pools:\n"
      "  {0}: {{balance: {2}, servers: {3}{4}{5}}}\n",
      line.protocol, quoted(line.listen), quoted(line.balance), quoted(line.to), health,
      line.tls ? ", tls: {verify: true}" : "");
  if (line.admin.empty()) return text;
  std::string token = line.token.empty() ? "" : ", token: " + quoted(line.token);
  return text + fmt::format("admin: {{address: {}{}}}\n", quoted(line.admin), token);
}

Result<LoadedConfig, std::vector<ConfigProblem>> load_one_line(const OneLine& line) {
  return load_config_text(config_text(line), "");
}

Result<LoadedConfig, std::vector<ConfigProblem>> load_environment(
    const std::function<const char*(const char* name)>& variable) {
  Environment environment(variable);
  OneLine line = environment.line();
  std::vector<ConfigProblem> problems = std::move(environment.problems);
  if (!problems.empty()) return Unexpected{std::move(problems)};
  auto loaded = load_one_line(line);
  if (loaded) return loaded;
  for (const ConfigProblem& problem : loaded.error()) {
    problems.push_back({1, 1, variable_of(problem.path), problem.message});
  }
  return Unexpected{std::move(problems)};
}

}  // namespace lb
