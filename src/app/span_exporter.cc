// SPDX-License-Identifier: MIT
#include "app/span_exporter.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <span>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/log.h"
#include "common/named_thread.h"
#include "net/blocking_call.h"

namespace lb {

namespace {

constexpr std::chrono::seconds kIdle{60};
constexpr std::chrono::seconds kGather{1};
constexpr int kFirstPause_ms = 1'000;
constexpr int kLongestPause_ms = 30'000;
constexpr int64_t kCall_ms = 5'000;
constexpr int64_t kLastCall_ms = 1'000;
constexpr int64_t kComplaintPause_ms = 10'000;
constexpr size_t kMostInCall = 512;
constexpr size_t kMostAnswer = 16 * 1024;
// From when on the thread is called at once.
constexpr size_t kPlenty = SpanExporter::kRoom / 2;

// 0 = this is no HTTP.
int status_of(std::string_view answer) {
  int status = 0;
  if (!answer.starts_with("HTTP/1.") || answer.size() < 12) return 0;
  std::from_chars(answer.data() + 9, answer.data() + 12, status);
  return status;
}

// Whether the same may be taken another time.
bool is_passing(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

std::string body_of(std::span<const std::string> spans) {
  std::string body =
      R"({"resourceSpans":[{"resource":{"attributes":[{"key":"service.name",)"
      R"("value":{"stringValue":"lb"}}]},"scopeSpans":[{"scope":{"name":"lb"},"spans":[)";
  for (const std::string& span : spans) {
    if (&span != spans.data()) body += ',';
    body += span;
  }
  return body + "]}]}]}";
}

}  // namespace

struct SpanExporter::State {
  struct alignas(64) Lane {
    std::mutex mutex;
    std::vector<std::string> spans;
    size_t bytes = 0;
  };
  enum class Sent { taken, refused, later };

  State(TracingConfig to, size_t workers) : collector(std::move(to)), lanes(workers) {}

  void wake() {
    {
      std::lock_guard lock(call_mutex);
      called = true;
    }
    wakeup.notify_one();
  }

  // Until it is called, for so long at most.
  void wait(std::chrono::milliseconds most) {
    std::unique_lock lock(call_mutex);
    wakeup.wait_for(lock, most, [this] { return called; });
    called = false;
  }

  void run() {
    while (!stopping) {
      // What called for it may have come while it was at work.
      while (!stopping && !has_spans()) wait(kIdle);
      if (!stopping) wait(kGather);
      export_all(take_all());
    }
    export_all(take_all());
    std::lock_guard lock(end_mutex);
    ended = true;
    at_end.notify_all();
  }

  bool has_spans() {
    return std::any_of(lanes.begin(), lanes.end(), [](Lane& lane) {
      std::lock_guard lock(lane.mutex);
      return !lane.spans.empty();
    });
  }

  std::vector<std::string> take_all() {
    std::vector<std::string> all;
    for (Lane& lane : lanes) {
      std::vector<std::string> taken;
      {
        std::lock_guard lock(lane.mutex);
        taken.swap(lane.spans);
        lane.bytes = 0;
      }
      std::move(taken.begin(), taken.end(), std::back_inserter(all));
    }
    return all;
  }

  void export_all(const std::vector<std::string>& spans) {
    std::span<const std::string> left(spans);
    int pause_ms = kFirstPause_ms;
    while (!left.empty()) {
      auto some = left.first(std::min(left.size(), kMostInCall));
      Sent sent = post(some);
      if (sent == Sent::later && !stopping) {
        pause(pause_ms);
        pause_ms = std::min(2 * pause_ms, kLongestPause_ms);
        continue;
      }
      if (sent != Sent::taken) lost.fetch_add(some.size(), std::memory_order_relaxed);
      left = left.subspan(some.size());
      pause_ms = kFirstPause_ms;
    }
  }

  // Workers that call meanwhile do not shorten it; the end does.
  void pause(int ms) {
    for (int64_t until_ms = monotonic_ms() + ms; !stopping && monotonic_ms() < until_ms;) {
      wait(std::chrono::milliseconds(until_ms - monotonic_ms()));
    }
  }

  Sent post(std::span<const std::string> spans) {
    int64_t deadline_ms = monotonic_ms() + (stopping ? kLastCall_ms : kCall_ms);
    auto addresses = look_up(collector.host, collector.port);
    if (!addresses) {
      complain(addresses.error().message);
      return Sent::later;
    }
    std::string body = body_of(spans);
    std::string request = fmt::format(
        "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: lb\r\nConnection: close\r\n"
        "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
        collector.path, host_field(), body.size(), body);
    auto has_head = [](std::string_view bytes) { return bytes.find("\r\n\r\n") != bytes.npos; };
    auto answer = call(*addresses, request, has_head, kMostAnswer, deadline_ms);
    if (!answer) {
      complain(answer.error().message);
      return Sent::later;
    }
    int status = status_of(*answer);
    if (status >= 200 && status < 300) return Sent::taken;
    complain(status == 0 ? "its answer is no HTTP" : fmt::format("it answers {}", status));
    return is_passing(status) ? Sent::later : Sent::refused;
  }

  std::string host_field() const {
    bool is_ipv6 = collector.host.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}", is_ipv6 ? "[" : "", collector.host, is_ipv6 ? "]" : "",
                       collector.port);
  }

  void complain(const std::string& why) {
    int64_t now_ms = monotonic_ms();
    // At the end the log may be gone before this thread.
    if (stopping || (complained_ms != 0 && now_ms < complained_ms + kComplaintPause_ms)) return;
    complained_ms = now_ms;
    log::warning("tracing: no spans to {}{}: {}; {} were lost so far", host_field(), collector.path,
                 why, lost.load(std::memory_order_relaxed));
  }

  const TracingConfig collector;
  std::vector<Lane> lanes;
  std::mutex call_mutex;
  std::condition_variable wakeup;
  bool called = false;  // under call_mutex
  std::atomic<bool> stopping{false};
  std::atomic<uint64_t> lost{0};
  std::mutex end_mutex;
  std::condition_variable at_end;
  bool ended = false;         // under end_mutex
  int64_t complained_ms = 0;  // the thread's
};

SpanExporter::SpanExporter(const TracingConfig& collector, size_t workers)
    : collector_(collector), state_(std::make_shared<State>(collector, workers)) {
  // A call under way, or a name server that is silent, must not hold up whoever ends this.
  start_thread("lb-tracing", [state = state_] { state->run(); }).detach();
}

SpanExporter::~SpanExporter() {
  stop();
}

void SpanExporter::stop() {
  state_->stopping = true;
  state_->wake();
}

void SpanExporter::close() {
  stop();
  std::unique_lock lock(state_->end_mutex);
  state_->at_end.wait_for(lock, std::chrono::milliseconds(kLastCall_ms),
                          [this] { return state_->ended; });
}

bool SpanExporter::goes_to(const TracingConfig& collector) const {
  return collector.host == collector_.host && collector.port == collector_.port &&
         collector.path == collector_.path;
}

void SpanExporter::write(size_t worker, std::string span) {
  State::Lane& lane = state_->lanes[worker];
  size_t before = 0;
  size_t after = 0;
  {
    std::lock_guard lock(lane.mutex);
    before = lane.bytes;
    after = before + span.size();
    if (after > kRoom) {
      state_->lost.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    lane.bytes = after;
    lane.spans.push_back(std::move(span));
  }
  if (before == 0 || (before < kPlenty && after >= kPlenty)) state_->wake();
}

uint64_t SpanExporter::lost() const {
  return state_->lost.load(std::memory_order_relaxed);
}

}  // namespace lb
