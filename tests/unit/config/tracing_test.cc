// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <string>

#include "config/loader.h"

namespace lb::config {
namespace {

TEST(Tracing, NamesACollectorInAnyForm) {
  struct Row {
    const char* written;
    TracingConfig read;
  };
  for (const Row& row :
       {Row{"{otlp: 'http://127.0.0.1:4318'}", {"127.0.0.1", 4318, "/v1/traces", 1}},
        Row{"{otlp: 'http://collector', sample: 100%}", {"collector", 4318, "/v1/traces", 100}},
        Row{"{otlp: 'http://[::1]:80/', sample: 0%}", {"::1", 80, "/v1/traces", 0}},
        Row{"{otlp: 'http://c:1/in/v1/traces/'}", {"c", 1, "/in/v1/traces", 1}},
        Row{"{otlp: 'http://c:1/in'}", {"c", 1, "/in/v1/traces", 1}}}) {
    auto loaded = load_config_text(
        "listeners: {a: {address: ':80', pool: db}}\npools: {db: {servers: ['10.0.0.1:80']}}\n"
        "tracing: " +
            std::string(row.written) + "\n",
        ".");
    ASSERT_TRUE(loaded) << row.written;
    EXPECT_EQ(loaded->config.tracing, row.read) << row.written;
  }
}

}  // namespace
}  // namespace lb::config
