// SPDX-License-Identifier: MIT
#include "app/demo_http.h"

#include <utility>

#include "common/json.h"
#include "common/log.h"
#include "l7/http1_writer.h"

namespace lb {

namespace {

constexpr std::string_view kHealth = "/health";

}  // namespace

bool DemoHttp::take(std::string& received, int64_t now_us, std::string& out) {
  if (!has_head_ && !take_head(received, out)) return false;
  if (refused_ == 0 && !take_body(received)) return false;
  bool at_once = refused_ != 0 || request_.head.path == kHealth;
  answer_us_ = at_once ? now_us : tools_.work.take_us(now_us);
  tools_.work.moved(body_.size());
  return true;
}

bool DemoHttp::take_head(std::string& received, std::string& out) {
  RequestHead head;
  switch (parser_.parse(received, HeadLimits{}, head)) {
    case Parse::incomplete:
      return false;
    case Parse::refused:
      return refuse(parser_.refusal().status);
    case Parse::complete:
      break;
  }
  has_head_ = true;
  request_.assign(head);
  received.erase(0, parser_.size());
  is_last_ = head.is_last;
  if (request_.head.length > DemoPictures::kMostBytes) return refuse(413);
  if (request_.head.body == BodyKind::streamed) chunks_.emplace();
  if (request_.head.expects_continue) out += "HTTP/1.1 100 Continue\r\n\r\n";
  return true;
}

bool DemoHttp::take_body(std::string& received) {
  if (chunks_) {
    ChunkDecoder::Step step = chunks_->decode(received.data(), received.size());
    body_.append(received, 0, step.body);
    received.erase(0, step.taken);
    if (step.state == ChunkDecoder::State::refused) return refuse(400);
    if (body_.size() > DemoPictures::kMostBytes) return refuse(413);
    return step.state == ChunkDecoder::State::done;
  }
  if (request_.head.body != BodyKind::length) return true;
  size_t missing = static_cast<size_t>(request_.head.length) - body_.size();
  body_.append(received, 0, missing);
  received.erase(0, missing);
  return body_.size() == request_.head.length;
}

bool DemoHttp::refuse(int status) {
  refused_ = status;
  is_last_ = true;
  return true;
}

void DemoHttp::answer(int64_t now_us, std::string& out) {
  if (refused_ != 0) {
    write({.status = refused_, .body = "{\"error\": \"Refused\"}\n"}, now_us, out);
  } else if (request_.head.path == kHealth) {
    write(health(now_us), now_us, out);
  } else if (tools_.work.fails()) {
    Json said{{"error", "Failed by FAILURE_RATE"}, {"server", tools_.server}};
    write({.status = 503, .body = to_text(said) + "\n"}, now_us, out);
  } else {
    write(tools_.shop.answer(request_.head, std::move(body_)), now_us, out);
  }
  parser_.reset();
  request_.clear();
  chunks_.reset();
  body_.clear();
  has_head_ = false;
}

void DemoHttp::write(const DemoAnswer& answer, int64_t now_us, std::string& out) const {
  out += fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nendpoint-load-metrics: JSON "
      "{}\r\n",
      answer.status, reason_of(answer.status), answer.type, answer.body.size(), load(now_us));
  if (!answer.session.empty()) {
    out += fmt::format("Set-Cookie: sessionId={}; Path=/; HttpOnly\r\n", answer.session);
  }
  if (is_last_) out += "Connection: close\r\n";
  out += "\r\n";
  if (request_.head.method != Method::head) out += answer.body;
  tools_.work.moved(answer.body.size());
}

DemoAnswer DemoHttp::health(int64_t now_us) const {
  DemoWork::Figures figures = tools_.work.figures(now_us);
  Json said{{"status", "ok"},
            {"server", tools_.server},
            {"cpu", 100 * figures.cpu},
            {"memory", 100 * tools_.pictures.share_in_use()},
            {"network", 100 * figures.network},
            {"busyMs", figures.busy_ms}};
  return {.body = to_text(said) + "\n"};
}

std::string DemoHttp::load(int64_t now_us) const {
  DemoWork::Figures figures = tools_.work.figures(now_us);
  return to_text(Json{{"cpu_utilization", figures.cpu},
                      {"mem_utilization", tools_.pictures.share_in_use()},
                      {"named_metrics", {{"network", figures.network}}}});
}

}  // namespace lb
