// SPDX-License-Identifier: MIT
#include <algorithm>
#include <optional>
#include <utility>

#include "common/log.h"
#include "health/connection_probe.h"
#include "health/http_response.h"
#include "health/probe_tls.h"
#include "health/probes.h"

namespace lb {

namespace {

// What stands in Host and :authority where the configuration gives none.
std::string request_for(const ProbeTarget& target, const HealthCheckConfig& config) {
  std::string host = config.host.empty() ? authority(target) : config.host;
  return fmt::format(
      "{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: lb\r\nAccept: */*\r\nConnection: close\r\n\r\n",
      config.method, config.path, host);
}

class HttpProbe final : public ConnectionProbe {
 public:
  HttpProbe(EventLoop& loop, const ProbeTarget& target, const HealthCheckConfig& config,
            std::optional<ProbeTls> tls)
      : ConnectionProbe(loop, target, std::move(tls)),
        request_(request_for(target, config)),
        is_head_(config.method == "HEAD"),
        expect_status_(config.expect_status),
        expect_body_(config.expect_body) {}

 private:
  void begin() override {
    response_.emplace(is_head_);
    certificate_ends_s_.reset();
  }
  void end() override { response_.reset(); }

  void on_connected() override {
    certificate_ends_s_ = connection_.certificate_ends_s();
    connection_.send(request_);
    connection_.receive();
  }
  void on_bytes(std::string_view bytes) override { went_to(response_->add(bytes)); }
  void on_end() override { went_to(response_->end()); }
  void on_failed(const std::string& why, bool made) override {
    finish_check({.made = made, .detail = why});
  }

  void went_to(HttpResponse::State state) {
    if (state == HttpResponse::State::refused) finish_check({.detail = response_->why()});
    if (state == HttpResponse::State::done) finish_check(judge());
  }

  ProbeResult judge() const {
    ProbeResult result{.detail = fmt::format("status {}", response_->status())};
    result.load = parse_load_header(response_->load());
    if (!result.load) result.load = parse_load_body(response_->body());
    bool is_expected =
        std::any_of(expect_status_.begin(), expect_status_.end(), [&](const StatusRange& range) {
          return range.first <= response_->status() && response_->status() <= range.last;
        });
    if (is_expected && response_->body().find(expect_body_) == std::string::npos) {
      result.detail += ", but not the expected body";
      return result;
    }
    result.passed = is_expected;
    return result;
  }

  void finish_check(ProbeResult result) {
    result.certificate_ends_s = certificate_ends_s_;
    if (certificate_ends_s_) result.detail += ", " + certificate_detail(*certificate_ends_s_);
    finish(std::move(result));
  }

  const std::string request_;
  const bool is_head_;
  const std::vector<StatusRange> expect_status_;
  const std::string expect_body_;
  std::optional<HttpResponse> response_;
  std::optional<int64_t> certificate_ends_s_;
};

}  // namespace

std::unique_ptr<Probe> make_http_probe(const ProbeMeans& means, const ProbeTarget& target,
                                       const HealthCheckConfig& config) {
  std::optional<ProbeTls> tls;
  if (config.type == CheckType::https) tls = tls_for(means, target, config);
  return std::make_unique<HttpProbe>(means.loop, target, config, std::move(tls));
}

}  // namespace lb
