// SPDX-License-Identifier: MIT
// GET /api/events: what happens, as it happens.
#include "admin/event_streams.h"

#include "admin/answers.h"
#include "admin/api.h"
#include "common/json.h"
#include "common/log.h"

namespace lb::admin {

namespace {

// Proxies between us and a browser end what is silent for longer.
constexpr std::chrono::milliseconds kKeepAlive{15'000};

const char* name_of(EventView::Kind kind) {
  switch (kind) {
    case EventView::Kind::health:
      return "health";
    case EventView::Kind::membership:
      return "membership";
    case EventView::Kind::reload:
      return "reload";
  }
  return "health";
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

void get_events(const Call& call) {
  if (call.request.method == "HEAD") {
    return call.answer.send({.content_type = "text/event-stream"});
  }
  if (call.events.add(call.answer)) return;
  call.answer.send(
      failure(503, fmt::format("{} listen already, which is the most", EventStreams::kMost)));
}

}  // namespace

EventStreams::EventStreams(EventLoop& loop) : keep_alive_(loop, [this] { keep_alive(); }) {}

bool EventStreams::add(const Answer& answer) {
  write(":\n\n");  // those who are gone make room
  if (listeners_.size() >= kMost) return false;
  listeners_.push_back(answer.open({.content_type = "text/event-stream", .body = ": hello\n\n"}));
  if (!keep_alive_.pending()) keep_alive_.start(kKeepAlive);
  return true;
}

void EventStreams::publish(const EventView& event) {
  if (listeners_.empty()) return;
  Json json = {{"at", rfc3339(event.at)},
               {"pool", text_or_null(event.pool)},
               {"server", text_or_null(event.server)},
               {"from", text_or_null(event.from)},
               {"to", text_or_null(event.to)},
               {"reason", text_or_null(event.reason)}};
  write(fmt::format("event: {}\ndata: {}\n\n", name_of(event.kind), to_text(json)));
}

void EventStreams::write(const std::string& text) {
  std::erase_if(listeners_, [&](const OpenAnswer& listener) { return !listener.write(text); });
}

void EventStreams::keep_alive() {
  write(":\n\n");
  if (!listeners_.empty()) keep_alive_.start(kKeepAlive);
}

std::vector<Route> event_routes() {
  return {{"GET", "/api/events", get_events}};
}

}  // namespace lb::admin
