// SPDX-License-Identifier: MIT
#include "pool/load_report.h"

#include <gtest/gtest.h>

#include <string>

namespace lb {
namespace {

using Reports = std::optional<LoadReport>;

Reports report(std::optional<double> cpu, std::optional<double> memory = {},
               std::optional<double> network = {}) {
  return LoadReport{cpu, memory, network};
}

struct Row {
  std::string text;
  Reports expected;
};

TEST(LoadReports, AreReadFromOrcaHeaders) {
  const Row rows[] = {
      {R"(JSON {"cpu_utilization": 0.25, "mem_utilization": 0.5, "named_metrics": {"network": 0.125}})",
       report(0.25, 0.5, 0.125)},
      {R"(JSON {"cpuUtilization":0.25,"memUtilization":0.5,"namedMetrics":{"network":0.125}})",
       report(0.25, 0.5, 0.125)},
      {"  JSON {\"cpu_utilization\" : 2.5e-1 }\t", report(0.25)},
      {R"(JSON {"rps_fractional": 10, "eps": 0, "cpu_utilization": 0.25, "request_cost": {"a": [1, {"b": null}]}})",
       report(0.25)},
      {R"(JSON {"named_metrics": {"disk": 1, "network": 0.5}})", report({}, {}, 0.5)},
      {R"(JSON {"cpu_utilization": 0})", report(0)},
      {R"(JSON {"cpu_utilization": 1.5})", report(1.5)},
      {R"(JSON {"cpu_utilization": 1e30})", report(LoadReport::kMostLoad)},
      {"TEXT cpu_utilization=0.25, mem_utilization=0.5, named_metrics.network=0.125",
       report(0.25, 0.5, 0.125)},
      {"TEXT cpu=0.25,mem=0.5,foo_bytes=123", report(0.25, 0.5)},
      {"TEXT rps_fractional = 10.0 , cpu_utilization = 0.25", report(0.25)},
  };
  for (const Row& row : rows) EXPECT_EQ(parse_load_header(row.text), row.expected) << row.text;
}

TEST(LoadReports, AreReadFromBodiesInPerCent) {
  const Row rows[] = {
      {R"({"cpu": 25, "memory": 50, "network": 12.5})", report(0.25, 0.5, 0.125)},
      {"\r\n{ \"status\" : \"ok \\\" \\u00e9\", \"cpu\":25 }\n", report(0.25)},
      {R"({"cpu": 250, "uptime": 1e9, "tags": ["a", true, false, null, -1, []]})", report(2.5)},
      {R"({"memory": 50})", report({}, 0.5)},
      {R"({"cpu": "31", "network": 50})", report({}, {}, 0.5)},
      {R"({"cpu": -5, "network": 50})", report({}, {}, 0.5)},
  };
  for (const Row& row : rows) EXPECT_EQ(parse_load_body(row.text), row.expected) << row.text;
}

TEST(LoadReports, AreNothingWhereTheTextIsNone) {
  const std::string headers[] = {
      "",
      "JSON",
      "JSON ",
      "JSON {",
      "JSON {}",
      "JSON []",
      "JSON 5",
      "JSON null",
      "BIN abcd",
      "json {\"cpu_utilization\": 0.5}",
      R"({"cpu_utilization": 0.5})",
      R"(JSON {"cpu_utilization": 0.5} x)",
      R"(JSON {"cpu_utilization": 0.5,})",
      R"(JSON {"cpu_utilization": .5})",
      R"(JSON {"cpu_utilization": 05})",
      R"(JSON {"cpu_utilization": 0.})",
      R"(JSON {"cpu_utilization": 1e})",
      R"(JSON {"cpu_utilization": nan})",
      R"(JSON {"cpu_utilization": 1e999})",
      R"(JSON {cpu_utilization: 1})",
      R"(JSON {"cpu_utilization" 1})",
      R"(JSON {"cpu_utilization": 1 "mem_utilization": 1})",
      R"(JSON {"cpu_utilization": tru})",
      R"(JSON {"a\)",
      "JSON {\"a\nb\": 1, \"cpu_utilization\": 1}",
      "TEXT",
      "TEXT ",
      "TEXT cpu",
      "TEXT cpu=",
      "TEXT cpu=x",
      "TEXT cpu=0.5x",
      "TEXT cpu=nan",
      "TEXT cpu=inf",
      "TEXT cpu=-1",
      "TEXT foo=1",
      "TEXT cpu=1,,mem=1",
      R"(JSON {"cpu_utilization": 0.5})" + std::string(kMaxLoadHeader, ' ') + "x",
  };
  for (const std::string& text : headers) EXPECT_EQ(parse_load_header(text), std::nullopt) << text;
  std::string deep = std::string(R"({"cpu": 5, "a": )");
  const std::string bodies[] = {
      "",
      "ok",
      "{}",
      "[1]",
      R"({"cpu": 5)",
      R"({"cpu": 5}})",
      R"({"cpu": 5, "a": [})",
      R"({"status": "up"})",
      std::string("{\"cpu\": 5, \"a\": 1\0}", 19),
      deep + std::string(50'000, '[') + std::string(50'000, ']') + "}",
  };
  for (const std::string& text : bodies) {
    EXPECT_EQ(parse_load_body(text), std::nullopt) << text.substr(0, 80);
  }
}

}  // namespace
}  // namespace lb
