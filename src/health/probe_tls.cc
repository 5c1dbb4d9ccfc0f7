// SPDX-License-Identifier: MIT
#include "health/probe_tls.h"

#include <ctime>

#include "common/log.h"
#include "health/tls_clients.h"

namespace lb {

namespace {

// "app.example" of "app.example:8443"; an IPv6 address has its brackets taken off.
std::string without_port(const std::string& host) {
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.rfind(':'));
}

}  // namespace

ProbeTls tls_for(const ProbeMeans& means, const ProbeTarget& target,
                 const HealthCheckConfig& config) {
  ProbeTls tls;
  if (!config.tls_name.empty()) {
    tls.name = config.tls_name;
  } else if (!config.host.empty()) {
    tls.name = without_port(config.host);
  } else {
    tls.name = target.host.empty() ? target.address.ip_string() : target.host;
  }
  auto context = means.tls->get({.verify = config.verify,
                                 .ca_file = config.ca_file,
                                 .certificate_file = config.certificate_file,
                                 .key_file = config.key_file});
  if (context) {
    tls.context = std::move(*context);
  } else {
    tls.problem = context.error().message;
    log::error("checks of {} by TLS cannot be made: {}", target.address.to_string(), tls.problem);
  }
  return tls;
}

std::string certificate_detail(int64_t ends_s) {
  time_t time = ends_s;
  tm date{};
  gmtime_r(&time, &date);
  return fmt::format("certificate until {:04}-{:02}-{:02}", date.tm_year + 1900, date.tm_mon + 1,
                     date.tm_mday);
}

}  // namespace lb
