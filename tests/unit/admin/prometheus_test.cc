// SPDX-License-Identifier: MIT
#include "admin/prometheus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

namespace lb::admin {
namespace {

using testing::HasSubstr;

TEST(PrometheusText, WritesFamiliesWithTheirSamples) {
  PrometheusText out;
  out.family("lb_bytes_total", PrometheusText::Type::counter, "Bytes.");
  out.sample({{"listener", "web"}, {"direction", "in"}}, uint64_t{12'345'678'901});
  out.family("lb_up_seconds", PrometheusText::Type::gauge, "Time.");
  out.sample({}, 1.5);
  EXPECT_EQ(out.text(),
            "# HELP lb_bytes_total Bytes.\n# TYPE lb_bytes_total counter\n"
            "lb_bytes_total{listener=\"web\",direction=\"in\"} 12345678901\n"
            "# HELP lb_up_seconds Time.\n# TYPE lb_up_seconds gauge\nlb_up_seconds 1.5\n");
}

TEST(PrometheusText, EscapesLabels) {
  PrometheusText out;
  out.family("a", PrometheusText::Type::gauge, "A.");
  out.sample({{"server", "unix:/a\\b\"c\nd"}}, uint64_t{1});
  EXPECT_THAT(out.text(), HasSubstr("a{server=\"unix:/a\\\\b\\\"c\\nd\"} 1\n"));
}

TEST(PrometheusText, HistogramsEndInAllOfThem) {
  auto histogram = std::make_unique<Histogram>();
  for (uint64_t us : {100, 300, 100'000'000}) histogram->record(us);
  HistogramCounts counts;
  histogram->add_to(counts);
  PrometheusText out;
  out.family("t", PrometheusText::Type::histogram, "T.");
  out.sample({{"listener", "web"}}, counts);
  EXPECT_THAT(out.text(), HasSubstr("t_bucket{listener=\"web\",le=\"0.000256\"} 1\n"));
  EXPECT_THAT(out.text(), HasSubstr("t_bucket{listener=\"web\",le=\"0.000512\"} 2\n"));
  EXPECT_THAT(out.text(), HasSubstr("t_bucket{listener=\"web\",le=\"67.108864\"} 2\n"));
  EXPECT_THAT(out.text(), HasSubstr("t_bucket{listener=\"web\",le=\"+Inf\"} 3\n"
                                    "t_sum{listener=\"web\"} 100.0004\n"
                                    "t_count{listener=\"web\"} 3\n"));
}

}  // namespace
}  // namespace lb::admin
