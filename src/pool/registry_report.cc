// SPDX-License-Identifier: MIT
// What the registry tells of pools and servers.
#include <algorithm>
#include <utility>

#include "pool/registry.h"

namespace lb {

namespace {

// As the server would say it now; of checks, which may be rare, what the last one said.
std::optional<double> load_of(const Server& server, LoadMetric metric,
                              const std::optional<CheckRecord>& last_check, int64_t now_ms) {
  ReportedLoad::View view = server.reported.view(metric, now_ms);
  if (view.freshness > 0) return view.load;
  return last_check ? last_check->load : std::nullopt;
}

}  // namespace

std::vector<ServerReport> PoolRegistry::report(int64_t now_ms) const {
  std::vector<ServerReport> reports;
  for (const auto& [name, state] : states_) {
    for (const Entry& entry : state->entries) {
      reports.push_back(report(*entry.server, entry.config, *state, now_ms));
    }
  }
  for (const Removed& removed : removed_) {
    reports.push_back(report(*removed.server, removed.config, *removed.state, now_ms));
  }
  return reports;
}

void PoolRegistry::for_each_status(
    const std::function<void(const std::string&, ServerStatus, uint32_t)>& visit) const {
  for (const auto& [name, state] : states_) {
    for (const Entry& entry : state->entries) {
      visit(name, status(*entry.server), entry.config.weight);
    }
  }
  for (const Removed& removed : removed_) {
    visit(removed.server->pool(), status(*removed.server), removed.config.weight);
  }
}

ServerReport PoolRegistry::report(const Server& server, const ServerConfig& config,
                                  const PoolState& pool, int64_t now_ms) const {
  const Record& record = records_.at(&server);
  ServerReport report{.id = server_id(server.pool(), server.name()),
                      .pool = server.pool(),
                      .name = server.name(),
                      .address = server.address(),
                      .weight = config.weight,
                      .max_connections = config.max_connections,
                      .backup = config.backup,
                      .status = record.state.status(),
                      .admin = record.state.facts().admin,
                      .active = server.active().load(std::memory_order_relaxed),
                      .response_us = server.latency.average_us(now_ms),
                      .load = load_of(server, pool.config->load_metric, record.last_check, now_ms),
                      .last_check = record.last_check,
                      .history = {record.state.history().begin(), record.state.history().end()},
                      .added_at_ms = record.state.added_at_ms()};
  uint64_t responses_us = 0;
  uint64_t measured = 0;  // workers that have an average
  for (const ServerCell& cell : server.cells()) {
    report.connections += cell.connections.load(std::memory_order_relaxed);
    report.connect_failures += cell.connect_failures.load(std::memory_order_relaxed);
    report.bytes_in += cell.bytes_in.load(std::memory_order_relaxed);
    report.bytes_out += cell.bytes_out.load(std::memory_order_relaxed);
    report.requests += cell.requests.read();
    report.failures += cell.failures.read();
    cell.response.add_to(report.responses);
    if (uint32_t us = cell.response_us.load(std::memory_order_relaxed); us > 0) {
      responses_us += us;
      ++measured;
    }
  }
  if (report.response_us == 0 && measured > 0) {
    report.response_us = static_cast<uint32_t>(responses_us / measured);
  }
  return report;
}

PoolRegistry::Sticky PoolRegistry::sticky(const std::string& pool, size_t at_most,
                                          int64_t now_ms) const {
  Sticky all;
  std::unordered_map<uint32_t, const std::string*> names;
  for (const Removed& removed : removed_) {
    names[removed.server->number()] = &removed.server->name();
  }
  for (const auto& [name, state] : states_) {
    if (!state->sticky || (!pool.empty() && pool != name)) continue;
    for (const Entry& entry : state->entries) {
      names[entry.server->number()] = &entry.server->name();
    }
    auto views = state->sticky->list(at_most, now_ms);
    all.total += views.size() < at_most ? views.size() : state->sticky->size();
    for (const StickyTable::View& view : views) {
      auto server = names.find(view.server);
      if (server != names.end()) all.entries.push_back({name, *server->second, view});
    }
  }
  std::stable_sort(all.entries.begin(), all.entries.end(),
                   [](const auto& a, const auto& b) { return a.view.used_ms > b.view.used_ms; });
  if (all.entries.size() > at_most) all.entries.resize(at_most);
  return all;
}

}  // namespace lb
