// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace lb {

// Takes the spans of requests that are sampled, each a JSON object of OTLP. Any worker; never
// waits: where there is no room a span is lost, and counted.
class SpanSink {
 public:
  virtual ~SpanSink() = default;
  virtual void write(size_t worker, std::string span) = 0;
};

// What http listeners do about tracing; part of a snapshot.
struct Tracing {
  std::shared_ptr<SpanSink> sink;
  uint32_t sample_percent = 1;
};

}  // namespace lb
