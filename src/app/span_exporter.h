// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "config/tracing.h"
#include "pool/tracing.h"

namespace lb {

// Sends spans to a collector by OTLP over HTTP, in JSON, from a thread of its own. Each worker has
// a list under a lock of its own, which the thread holds only to take the list away: once a second,
// sooner when much has come. While the collector cannot be reached the thread tries again, at least
// every 30 s, and what finds no room meanwhile is lost and counted. Any worker writes; the rest is
// for the control thread.
class SpanExporter final : public SpanSink {
 public:
  // Bytes of spans that wait, for each worker.
  static constexpr size_t kRoom = 1024 * 1024;

  SpanExporter(const TracingConfig& collector, size_t workers);
  // Does not wait for the thread, which sends what it can and ends.
  ~SpanExporter() override;

  void write(size_t worker, std::string span) override;
  // Whether spans for this collector can go on here.
  bool goes_to(const TracingConfig& collector) const;
  // Spans that found no room or that the collector refused.
  uint64_t lost() const;
  // Sends what is left, for a second at most. No worker may be at work any more.
  void close();

 private:
  struct State;

  void stop();

  const TracingConfig collector_;
  const std::shared_ptr<State> state_;  // the thread's as well
};

}  // namespace lb
