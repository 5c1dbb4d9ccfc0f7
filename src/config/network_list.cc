// SPDX-License-Identifier: MIT
#include "config/network_list.h"

#include <algorithm>
#include <string_view>

#include "common/log.h"
#include "config/file_text.h"

namespace lb::config {

namespace {

constexpr size_t kReportedLines = 10;

// What stands in a line beside comment and blanks.
std::string_view content(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r";
  line = line.substr(0, line.find('#'));
  size_t begin = line.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(kBlank) + 1 - begin);
}

// A line of some other kind of file may be long and hold anything.
Result<Cidr> parse_network(std::string_view text) {
  if (text.size() > 64 || text.find('\0') != std::string_view::npos) {
    return fail("not a network; a line holds one, such as 10.0.0.0/8");
  }
  return Cidr::parse(text);
}

}  // namespace

Result<std::vector<Cidr>, std::vector<std::string>> read_network_file(
    const std::filesystem::path& file) {
  using Failure = Unexpected<std::vector<std::string>>;
  std::error_code ignored;
  if (std::filesystem::is_fifo(file, ignored)) {
    return Failure{{fmt::format("{} is a pipe; a list is read again and again", file.native())}};
  }
  auto bytes = read_file(file, kMaxNetworkFileBytes);
  if (!bytes) {
    return Failure{{fmt::format("cannot read {}: {}", file.native(), bytes.error().message)}};
  }
  if (bytes->size() > kMaxNetworkFileBytes) {
    return Failure{{fmt::format("{} is larger than 16 MiB", file.native())}};
  }
  std::vector<Cidr> networks;
  std::vector<std::string> problems;
  std::string_view rest = *bytes;
  for (int line = 1; !rest.empty() && problems.size() < kReportedLines; ++line) {
    size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view text = content(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (text.empty()) continue;
    auto network = parse_network(text);
    if (network) {
      networks.push_back(*network);
    } else {
      problems.push_back(
          fmt::format("{} line {}: {}", file.native(), line, network.error().message));
    }
  }
  if (!problems.empty()) return Failure{std::move(problems)};
  return networks;
}

Result<CidrSet> read_networks(const NetworkSource& source) {
  std::vector<Cidr> networks = source.networks;
  for (const std::string& file : source.files) {
    auto more = read_network_file(file);
    if (!more) return fail(more.error().front());
    networks.insert(networks.end(), more->begin(), more->end());
  }
  return CidrSet(networks);
}

}  // namespace lb::config
