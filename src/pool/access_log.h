// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/address.h"
#include "common/line_file.h"
#include "config/access_log.h"

namespace lb {

// What the access log says of one piece of work: a tcp connection, a udp session, or a
// request and its response. Views into somebody else's bytes, for the time of a call.
struct AccessRecord {
  static constexpr int64_t kNever = -1;  // it did not come so far

  const Address& client;
  std::string_view termination;  // why it ended
  std::string_view pool = {};    // "" = none was chosen
  std::string_view server = {};
  uint32_t retries = 0;    // tries after the first
  uint64_t bytes_in = 0;   // of the client; of a request its body's
  uint64_t bytes_out = 0;  // to the client; of a response its body's
  // Each since the work began.
  int64_t queued_us = kNever;     // until it had a server
  int64_t connected_us = kNever;  // until a connection to it stood
  int64_t answered_us = kNever;   // until the server's first byte came
  int64_t took_us = 0;            // until its end
  std::string_view tls = {};      // the version, "" = in clear
  std::string_view sni = {};
  std::string_view protocol = "tcp";
  uint64_t datagrams_in = 0;  // udp only
  uint64_t datagrams_out = 0;
  // http only
  std::string_view method = {};
  std::string_view host = {};
  std::string_view path = {};
  std::string_view query = {};  // with its '?'
  std::string_view referer = {};
  std::string_view user_agent = {};
  std::string_view request_id = {};
  int status = 0;  // 0 = nothing was said

  bool is_udp() const { return protocol == "udp"; }
  bool is_http() const { return protocol != "tcp" && !is_udp(); }
};

// A listener's access log: makes lines of records and gives them to the file's writer, which other
// listeners may share. Any worker; never waits.
class AccessLog {
 public:
  AccessLog(std::string listener, AccessLogConfig::Format format, std::shared_ptr<LineFile> file)
      : listener_(std::move(listener)), format_(format), file_(std::move(file)) {}

  void write(size_t worker, const AccessRecord& record) const;

  // The line with its newline. `now_ms` is the end of the work, since 1970.
  static std::string line(const std::string& listener, AccessLogConfig::Format format,
                          const AccessRecord& record, int64_t now_ms);

 private:
  std::string listener_;
  AccessLogConfig::Format format_;
  std::shared_ptr<LineFile> file_;
};

}  // namespace lb
