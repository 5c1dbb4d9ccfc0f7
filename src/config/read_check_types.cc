// SPDX-License-Identifier: MIT
// What only some types of health checks have.
#include <algorithm>

#include "config/file_text.h"
#include "config/sections.h"

namespace lb::config {

namespace {

constexpr size_t kMostProbeBytes = 4'096;
constexpr size_t kMostPathBytes = 4'096;
constexpr size_t kMostHostBytes = 255;
constexpr size_t kMostWords = 64;
constexpr size_t kMostCommandBytes = 16 * 1024;
constexpr size_t kMostNameBytes = 255;
constexpr size_t kMostCaBytes = 16'777'216;
constexpr size_t kMostPasswordBytes = 4'096;
constexpr uint32_t kLowestStatus = 100;
constexpr uint32_t kHighestStatus = 599;

bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

Scalar<std::string> visible(std::string_view what, size_t most) {
  auto parse = [what, most](std::string_view text) -> Result<std::string> {
    if (text.empty() || text.size() > most || !is_visible(text)) {
      return fail(
          fmt::format("{} is no {}: 1 to {} visible ASCII characters", quote(text), what, most));
    }
    return std::string(text);
  };
  return {fmt::format("a {}", what), parse};
}

Scalar<std::string> path() {
  auto parse = [](std::string_view text) -> Result<std::string> {
    if (!text.starts_with('/') || text.size() > kMostPathBytes || !is_visible(text)) {
      return fail(
          fmt::format("{} is no path: it begins with '/' and has at most {} visible ASCII "
                      "characters; others are written %XX",
                      quote(text), kMostPathBytes));
    }
    return std::string(text);
  };
  return {"a path, such as /health", parse};
}

Scalar<std::string> method() {
  auto parse = [](std::string_view text) -> Result<std::string> {
    bool is_word =
        std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    if (text.empty() || text.size() > 32 || !is_word || text == "CONNECT") {
      return fail(
          fmt::format("{} is no method for a check, such as GET, HEAD or OPTIONS", quote(text)));
    }
    return std::string(text);
  };
  return {"a method, such as GET", parse};
}

Result<std::vector<StatusRange>> parse_ranges(std::string_view text) {
  auto code = whole_number(kLowestStatus, kHighestStatus);
  std::vector<StatusRange> ranges;
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find(',', begin), text.size());
    std::string_view range = text.substr(begin, end - begin);
    while (range.starts_with(' ')) range.remove_prefix(1);
    while (range.ends_with(' ')) range.remove_suffix(1);
    size_t dash = std::min(range.find('-'), range.size());
    auto first = code.parse(range.substr(0, dash));
    auto last = dash == range.size() ? first : code.parse(range.substr(dash + 1));
    if (!first || !last || *first > *last || ranges.size() == kMostWords) {
      return fail(
          fmt::format("{} is not one or more codes and ranges from {} to {}, such as "
                      "200-299,404",
                      quote(text), kLowestStatus, kHighestStatus));
    }
    ranges.push_back({static_cast<uint16_t>(*first), static_cast<uint16_t>(*last)});
    begin = end + 1;
  }
  return ranges;
}

void read_tcp(Section& section, HealthCheckConfig& check) {
  section.read("send", check.send, text(1, kMostProbeBytes));
  section.read("expect", check.expect, text(1, kMostProbeBytes));
  if (section.has("send")) {
    section.require("expect", "'send' needs the answer that passes the check");
  }
}

void read_tls(Section& section, const std::filesystem::path& directory, HealthCheckConfig& check) {
  section.read("verify", check.verify, boolean());
  auto found = section.find("ca");
  auto file = found ? found->as(text(1, kMostPathBytes)) : std::nullopt;
  if (!file) return;
  if (!check.verify) return found->warn_at_key("has no effect with 'verify: false'");
  std::filesystem::path path = directory / *file;
  auto read = read_file(path, kMostCaBytes);
  if (!read) return found->error(fmt::format("cannot read the file: {}", read.error().message));
  if (read->find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    return found->error("holds no certificate in PEM form");
  }
  check.ca_file = path.native();
}

void read_http(Section& section, HealthCheckConfig& check) {
  section.read("path", check.path, path());
  section.read("method", check.method, method());
  section.read(
      "expect_status", check.expect_status,
      Scalar<std::vector<StatusRange>>{"codes and ranges, such as 200-299,404", parse_ranges});
  section.read("expect_body", check.expect_body, text(1, kMostProbeBytes));
}

// Without final dot, or "." for the root.
Result<std::string> parse_dns_name(std::string_view text) {
  std::string_view name = text;
  if (name.ends_with('.')) name.remove_suffix(1);
  bool fits = !text.empty() && name.size() <= 253 && is_visible(name) &&
              name.find('\\') == std::string_view::npos;
  for (size_t begin = 0; fits && !name.empty() && begin <= name.size();) {
    size_t end = std::min(name.find('.', begin), name.size());
    fits = end > begin && end - begin <= 63;
    begin = end + 1;
  }
  if (!fits) {
    return fail(fmt::format("{} is no DNS name: labels of 1 to 63 characters, 253 in all, or '.'",
                            quote(text)));
  }
  return std::string(name.empty() ? "." : name);
}

void read_query(const Value& value, DnsQuestion& query) {
  Section section(value);
  section.read("name", query.name, Scalar<std::string>{"a DNS name", parse_dns_name});
  section.read("type", query.type,
               one_of<uint16_t>({{"A", 1},
                                 {"NS", 2},
                                 {"CNAME", 5},
                                 {"SOA", 6},
                                 {"PTR", 12},
                                 {"MX", 15},
                                 {"TXT", 16},
                                 {"AAAA", 28},
                                 {"SRV", 33},
                                 {"HTTPS", 65},
                                 {"CAA", 257}}));
}

void read_thresholds(const Value& value, LoadThresholds& thresholds) {
  if (value.is_off()) return;
  auto level = optional_or_off(percentage());
  Section section(value);
  section.read("cpu", thresholds.cpu, level);
  section.read("memory", thresholds.memory, level);
  section.read("network", thresholds.network, level);
}

void read_command(Section& section, HealthCheckConfig& check) {
  auto value =
      section.require("command", "the script and its arguments, such as [/etc/lb/check.sh]");
  if (!value) return;
  size_t bytes = 0;
  for (const Value& item : value->one_or_more("words, the first of them the path of a program")) {
    Scalar<std::string> word = check.command.empty() ? absolute_path() : text(0, kMostProbeBytes);
    auto read = item.as(word);
    if (!read) return;
    if (read->find('\0') != std::string::npos) return item.error("holds a zero byte");
    bytes += read->size();
    if (bytes > kMostCommandBytes) return item.error("makes the command longer than 16 KiB");
    check.command.push_back(std::move(*read));
    if (check.command.size() > kMostWords) {
      return item.error(fmt::format("has more than {} words", kMostWords));
    }
  }
}

void read_password(const Value& value, const std::filesystem::path& directory,
                   std::string& password) {
  auto file = value.as(text(1, kMostPathBytes));
  if (!file) return;
  auto read = read_file(directory / *file, kMostPasswordBytes);
  if (!read) return value.error(fmt::format("cannot read the file: {}", read.error().message));
  if (read->ends_with('\n')) read->pop_back();
  if (read->empty() || read->size() > kMostPasswordBytes || read->find('\0') != std::string::npos) {
    return value.error(
        fmt::format("holds no password of 1 to {} bytes, none of them zero", kMostPasswordBytes));
  }
  password = std::move(*read);
}

void read_database(Section& section, const std::filesystem::path& directory,
                   HealthCheckConfig& check) {
  section.read("user", check.user, visible("user name", kMostNameBytes));
  if (check.type != CheckType::redis) section.require("user", "the user to log in as");
  if (auto found = section.find("password_file")) {
    read_password(*found, directory, check.password);
  }
  section.read("database", check.database, visible("name of a database", kMostNameBytes));
  section.read("role", check.role,
               one_of<DatabaseRole>(
                   {{"primary", DatabaseRole::primary}, {"replica", DatabaseRole::replica}}));
  if (check.type == CheckType::redis) return;
  section.read("max_lag", check.max_lag, duration(milliseconds(1), kLongest));
}

}  // namespace

void read_check_of_type(Section& section, const std::filesystem::path& directory,
                        HealthCheckConfig& check) {
  auto read_host = [&] { section.read("host", check.host, visible("host", kMostHostBytes)); };
  auto read_load = [&] {
    if (auto found = section.find("thresholds")) read_thresholds(*found, check.thresholds);
  };
  switch (check.type) {
    case CheckType::tcp:
      return read_tcp(section, check);
    case CheckType::tls:
      read_host();
      return read_tls(section, directory, check);
    case CheckType::https:
      read_tls(section, directory, check);
      [[fallthrough]];
    case CheckType::http:
      read_host();
      read_load();
      return read_http(section, check);
    case CheckType::grpc:
      read_host();
      return section.read("service", check.service, text(0, kMostNameBytes));
    case CheckType::dns:
      if (auto found = section.find("query")) read_query(*found, check.query);
      return;
    case CheckType::script:
      return read_command(section, check);
    case CheckType::agent:
      return read_load();
    case CheckType::postgres:
    case CheckType::mysql:
    case CheckType::redis:
      return read_database(section, directory, check);
  }
}

}  // namespace lb::config
