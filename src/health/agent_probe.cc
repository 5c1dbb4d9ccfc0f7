// SPDX-License-Identifier: MIT
#include <algorithm>
#include <utility>

#include "health/agent_line.h"
#include "health/connection_probe.h"
#include "health/printable.h"
#include "health/probes.h"

namespace lb {

namespace {

// An agent writes one line to whoever connects. A percentage says how much of its usual work the
// server wants, so that what is missing to 100 % is its load.
class AgentProbe final : public ConnectionProbe {
 public:
  AgentProbe(EventLoop& loop, const ProbeTarget& target) : ConnectionProbe(loop, target) {}

 private:
  void begin() override { said_.clear(); }

  void on_connected() override { connection_.receive(); }

  void on_bytes(std::string_view bytes) override {
    said_.append(bytes);
    size_t end = said_.find_first_of("\r\n");
    if (end > kMaxAgentLine && said_.size() > kMaxAgentLine) {
      return finish({.detail = "the agent's line is longer than 512 bytes"});
    }
    if (end != std::string::npos) judge(std::string_view(said_).substr(0, end));
  }

  void on_end() override { judge(said_); }

  void judge(std::string_view line) {
    auto read = parse_agent_line(line);
    if (!read) return finish({.detail = read.error().message});
    ProbeResult result{.passed = read->up, .detail = "the agent said '" + printable(line) + "'"};
    result.agent = read->wish;
    if (auto percent = read->wish.weight_percent) {
      double idle = std::min(*percent, 100U) / 100.0;
      result.load = LoadReport{.cpu = 1 - idle};
    }
    finish(std::move(result));
  }

  std::string said_;
};

}  // namespace

std::unique_ptr<Probe> make_agent_probe(const ProbeMeans& means, const ProbeTarget& target) {
  return std::make_unique<AgentProbe>(means.loop, target);
}

}  // namespace lb
