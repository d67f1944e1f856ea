#include "server/metrics/metrics_collector.h"

#include <prometheus/text_serializer.h>

#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/metrics/metric_families.h"
#include "server/test_daemon.h"
#include "server/test_state.h"

namespace escan {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

std::string Page(const ServerState& state) {
  return prometheus::TextSerializer().Serialize(MetricsCollector(&state).Collect());
}

TEST(MetricsCollector, RequestsAreCountedByModelAndOutcome) {
  TemporaryFolder folder;
  const std::unique_ptr<ServerState> state = StateOf(TestConfig(folder));
  RequestCounters& counters = state->models().front()->counters;
  counters.CountAnswered({.total = std::chrono::milliseconds(3)}, 1, Clock::now());
  counters.CountFailed(absl::StatusCode::kResourceExhausted, Duration(1));
  state->unrouted().CountFailed(absl::StatusCode::kNotFound, Duration(1));
  const std::string page = Page(*state);
  EXPECT_THAT(page, HasSubstr("escan_requests_total{model=\"test\",outcome=\"ok\"} 1\n"));
  EXPECT_THAT(page,
              HasSubstr("escan_requests_total{model=\"test\",outcome=\"resource_exhausted\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("escan_requests_total{model=\"\",outcome=\"not_found\"} 1\n"));
  EXPECT_THAT(page,
              HasSubstr("escan_request_duration_seconds_bucket{model=\"test\",le=\"0.002\"} 0\n"));
  EXPECT_THAT(page,
              HasSubstr("escan_request_duration_seconds_bucket{model=\"test\",le=\"0.005\"} 1\n"));
}

TEST(MetricsCollector, StagesWorkersAndSlotsAreTold) {
  TemporaryFolder folder;
  const std::unique_ptr<ServerState> state = StateOf(TestConfig(folder));
  // What the engine's thread says first has no workers yet.
  const Engine& engine = *state->models().front()->engine;
  while (engine.Status().workers.empty()) std::this_thread::yield();
  const std::string page = Page(*state);
  EXPECT_THAT(page, HasSubstr("# TYPE escan_stage_samples_total counter\n"));
  EXPECT_THAT(page, HasSubstr("escan_stage_exits_total{model=\"test\",stage=\"second\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("escan_stage_queue_depth{model=\"test\",stage=\"first\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("escan_stage_score_nan_total{model=\"test\",stage=\"first\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("escan_answers_checked_total{model=\"test\",stage=\"first\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("escan_answers_doubtful_total{model=\"test\",stage=\"first\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("escan_slots{model=\"test\"} 512\n"));
  EXPECT_THAT(page,
              HasSubstr("escan_stage_exit_ratio_upper_bound{model=\"test\",stage=\"first\"} 1\n"))
      << "nothing is known yet";
  EXPECT_THAT(page, HasSubstr("escan_offered_samples_total{model=\"test\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("escan_arrival_rate_samples_per_second{model=\"test\"} 0\n"));
  EXPECT_THAT(page, Not(HasSubstr("escan_plan_decisions_total{"))) << "its plan is fixed";
  // Without a process yet, or with one that is not ready.
  EXPECT_THAT(page, ContainsRegex("escan_workers[{]model=\"test\","
                                  "state=\"(starting|loading|warming|waiting)\"[}] 1\n"));
  EXPECT_THAT(page, HasSubstr("escan_workers{model=\"test\",state=\"ready\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("escan_ready{model=\"test\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("escan_build_info{version=\""));
  EXPECT_THAT(page, Not(HasSubstr("model=\"\"")));
  EXPECT_THAT(page, Not(HasSubstr("escan_mps_up")));
}

TEST(MetricsCollector, ArrivalsAreCountedAdmittedOrRefused) {
  TemporaryFolder folder;
  const std::unique_ptr<ServerState> state = StateOf(TestConfig(folder));
  Engine& engine = *state->models().front()->engine;
  const absl::StatusOr<RequestKey> key = engine.Acquire(500);
  ASSERT_TRUE(key.ok());
  EXPECT_FALSE(engine.Acquire(100).ok());
  engine.Release(*key);
  const std::string page = Page(*state);
  EXPECT_THAT(page, HasSubstr("escan_offered_samples_total{model=\"test\"} 600\n"));
  EXPECT_THAT(page, HasSubstr("escan_refused_samples_total{model=\"test\"} 100\n"));
}

TEST(MetricsCollector, MpsIsToldWhereThereAreGpus) {
  TemporaryFolder folder;
  const std::unique_ptr<ServerState> state =
      StateOf(TestConfig(folder), [] { return MpsReport{.running = true}; });
  EXPECT_THAT(Page(*state), HasSubstr("escan_mps_up 1\n"));
}

TEST(MetricFamilies, HistogramCountsAreCumulative) {
  constexpr std::array<double, 2> kBounds = {1, 2};
  Histogram<2> histogram;
  for (const double value : {0.5, 1.0, 1.5, 9.0}) histogram.Add(kBounds, value);
  MetricFamilies families;
  families.Begin(prometheus::MetricType::Histogram, "h", "help");
  families.Histogram({}, kBounds, histogram);
  const prometheus::ClientMetric::Histogram written =
      families.Take().front().metric.front().histogram;
  ASSERT_EQ(written.bucket.size(), 3u);
  EXPECT_EQ(written.bucket[0].cumulative_count, 2u);
  EXPECT_EQ(written.bucket[1].cumulative_count, 3u);
  EXPECT_EQ(written.bucket[2].cumulative_count, 4u);
  EXPECT_EQ(written.sample_count, 4u);
  EXPECT_EQ(written.sample_sum, 12.0);
}

}  // namespace
}  // namespace escan
