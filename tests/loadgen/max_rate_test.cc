#include "loadgen/max_rate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "loadgen/report_json.h"

namespace escan::loadgen {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

const RunDescription kRun{.target = "127.0.0.1:8001",
                          .model = "digits",
                          .pace = OpenLoop{},
                          .rows_per_request = 2,
                          .wanted = {.objectives = {milliseconds(20), milliseconds(60)}}};
const LoadLimits kLimits{.warmup = milliseconds(500), .duration = seconds(2)};

// What a run would report of a server whose requests all take `latency`.
Report Probe(double rate, const LoadLimits& limits, Duration latency) {
  RunDescription run = kRun;
  run.pace = OpenLoop{.rate = rate};
  Outcome outcome{.schedule_span = *limits.duration, .elapsed = *limits.duration};
  const auto count = static_cast<int>(rate * Seconds(*limits.duration).count());
  for (int i = 0; i < count; ++i) {
    outcome.tally.AddAnswer(
        {.time = {.due = i * *limits.duration / count, .latency = latency, .rows = 2}}, {});
  }
  return BuildReport(run, std::move(outcome));
}

// 1 ms up to 300 requests a second, 30 ms up to 600, and then 100 ms.
Report StaircaseProbe(double rate, const LoadLimits& limits) {
  return Probe(rate, limits, milliseconds(rate <= 300 ? 1 : rate <= 600 ? 30 : 100));
}

void Ignore(size_t, const Report&) {}

TEST(FindMaxRate, FindsTheRateOfEachObjectiveWithItsGoodput) {
  std::vector<std::string> lines;
  const MaxRateReport report = FindMaxRate(
      {.start_rate = 400}, kRun, kLimits, StaircaseProbe,
      [&](size_t number, const Report& probe) { lines.push_back(ProbeLine(number, probe)); });
  ASSERT_EQ(report.objectives.size(), 2u);
  EXPECT_NEAR(*report.objectives[0].bracket.kept, 300, 15);
  EXPECT_NEAR(*report.objectives[1].bracket.kept, 600, 30);
  EXPECT_TRUE(report.objectives[0].settled);
  EXPECT_NEAR(GoodputAtMaxRate(report, report.objectives[1]).samples,
              2 * *report.objectives[1].bracket.kept, 2);
  EXPECT_EQ(lines.size(), report.probes.size());
  EXPECT_THAT(lines[0], HasSubstr("p99=20ms missed (100.00 % late)  p99=60ms kept (0.00 % late)"));

  const auto json = nlohmann::json::parse(ToJson(report));
  EXPECT_EQ(json["loop"], "open");
  EXPECT_EQ(json["objectives"][1]["p99_ms"], 60);
  EXPECT_EQ(json["objectives"][1]["max_rate_samples_per_s"],
            2 * *report.objectives[1].bracket.kept);
  EXPECT_EQ(json["probes"].size(), report.probes.size());
  EXPECT_EQ(json["probes"][0]["rate_requests_per_s"], 400);
  EXPECT_EQ(json["probes"][0]["service_level"]["objectives"][1]["kept"], true);
  EXPECT_THAT(ToText(report), HasSubstr("p99=60ms"));
}

TEST(FindMaxRate, SaysWhichObjectiveNoRateKept) {
  const MaxRateReport report = FindMaxRate(
      {.start_rate = 400}, kRun, kLimits,
      [](double rate, const LoadLimits& limits) {
        return Probe(rate, limits, milliseconds(rate < 500 ? 30 : 90));
      },
      Ignore);
  EXPECT_FALSE(report.objectives[0].bracket.kept);
  EXPECT_THAT(ToText(report), HasSubstr("p99=20ms      kept by no rate that was tried"));
  const auto json = nlohmann::json::parse(ToJson(report));
  EXPECT_TRUE(json["objectives"][0]["max_rate_requests_per_s"].is_null());
  EXPECT_EQ(json["objectives"][0]["goodput_samples_per_s"], 0);
}

TEST(FindMaxRate, SlowProbesLastLongerAndHopelessOnesEnd) {
  std::vector<LoadLimits> seen;
  FindMaxRate(
      {.start_rate = 100}, kRun, kLimits,
      [&](double rate, const LoadLimits& limits) {
        seen.push_back(limits);
        return StaircaseProbe(rate, limits);
      },
      Ignore);
  EXPECT_EQ(seen[0].duration, seconds(5));  // for 500 requests
  EXPECT_EQ(seen[0].warmup, milliseconds(500));
  EXPECT_EQ(seen[0].misses->latency, milliseconds(60));
  EXPECT_EQ(seen[0].misses->misses, 10);
}

TEST(FindMaxRate, EndsWhenItsTimeIsOverOrAProbeIsInterrupted) {
  const MaxRateReport late = FindMaxRate({.start_rate = 400, .max_time = seconds(1)}, kRun, kLimits,
                                         StaircaseProbe, Ignore);
  EXPECT_EQ(late.probes.size(), 1u);
  EXPECT_FALSE(late.objectives[1].settled);
  EXPECT_EQ(late.objectives[1].bracket.kept, 400);

  const MaxRateReport interrupted = FindMaxRate(
      {.start_rate = 400}, kRun, kLimits,
      [](double rate, const LoadLimits& limits) {
        Report report = StaircaseProbe(rate, limits);
        report.interrupted = true;
        return report;
      },
      Ignore);
  EXPECT_TRUE(interrupted.interrupted);
  EXPECT_TRUE(interrupted.probes.empty());
}

}  // namespace
}  // namespace escan::loadgen
