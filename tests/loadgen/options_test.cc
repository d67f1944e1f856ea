#include "loadgen/options.h"

#include <gtest/gtest.h>

namespace escan::loadgen {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

ParsedOptions Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "escan-loadgen");
  return ParseCommandLine(static_cast<int>(arguments.size()), arguments.data());
}

TEST(Options, ByDefaultAClosedLoopRunsForTenSeconds) {
  const Options options = std::get<Options>(Parse({}));
  EXPECT_EQ(options.server.target, "127.0.0.1:8001");
  EXPECT_EQ(std::get<ClosedLoop>(options.pace).concurrency, 16);
  EXPECT_EQ(options.limits.duration, seconds(10));
  EXPECT_EQ(options.limits.warmup, seconds(2));
  EXPECT_FALSE(options.limits.requests.has_value());
}

TEST(Options, ARateMakesAnOpenLoopThatGivesUpAfterTheDeadline) {
  const Options options = std::get<Options>(
      Parse({"--rate", "2500", "--arrivals", "constant", "--seed", "9", "--deadline", "250ms"}));
  const auto& pace = std::get<OpenLoop>(options.pace);
  EXPECT_EQ(pace.rate, 2500);
  EXPECT_EQ(pace.arrivals, Arrivals::kConstant);
  EXPECT_EQ(pace.seed, 9u);
  EXPECT_EQ(pace.max_lateness, milliseconds(250));
  EXPECT_EQ(options.server.deadline, milliseconds(250));
}

TEST(Options, RequestsReplaceTheDurationAndTheirWarmupTheTime) {
  const Options options =
      std::get<Options>(Parse({"--requests", "500", "--warmup-requests", "20"}));
  EXPECT_EQ(options.limits.requests, 500);
  EXPECT_FALSE(options.limits.duration.has_value());
  EXPECT_EQ(options.limits.warmup_requests, 20);
  EXPECT_EQ(options.limits.warmup, Duration::zero());
}

TEST(Options, FilesAreNamedByInput) {
  const Options options =
      std::get<Options>(Parse({"--input-file", "a=x.npy", "--input-file", "b=y=z.npy"}));
  ASSERT_EQ(options.samples.files.size(), 2u);
  EXPECT_EQ(options.samples.files[0].input, "a");
  EXPECT_EQ(options.samples.files[1].input, "b");
  EXPECT_EQ(options.samples.files[1].file, "y=z.npy");
}

TEST(Options, ExitRatiosAreOneForEachStageButTheLast) {
  const Options options =
      std::get<Options>(Parse({"--exit-ratios", "0.5,0.25", "--difficulty-input", "hardness"}));
  EXPECT_TRUE(options.samples.exits.given());
  EXPECT_EQ(options.samples.exits.ratios, (std::vector<double>{0.5, 0.25}));
  EXPECT_EQ(options.samples.exits.input, "hardness");
  EXPECT_FALSE(std::get<Options>(Parse({})).samples.exits.given());
}

TEST(Options, ADriftFileReplacesThem) {
  const Options options = std::get<Options>(Parse({"--drift", "drift.csv"}));
  EXPECT_TRUE(options.samples.exits.given());
  EXPECT_EQ(options.samples.exits.drift, "drift.csv");
  EXPECT_EQ(options.samples.exits.input, "difficulty");
}

TEST(Options, RangesAreNamedByInput) {
  const Options options =
      std::get<Options>(Parse({"--input-range", "a=0:30521", "--input-range", "b=-5:-1"}));
  ASSERT_EQ(options.samples.ranges.size(), 2u);
  EXPECT_EQ(options.samples.ranges[0].input, "a");
  EXPECT_EQ(options.samples.ranges[0].range, (IntegerRange{0, 30521}));
  EXPECT_EQ(options.samples.ranges[1].range, (IntegerRange{-5, -1}));
}

TEST(Options, HelpAndVersionEndWithSuccess) {
  EXPECT_EQ(std::get<int>(Parse({"--help"})), 0);
  EXPECT_EQ(std::get<int>(Parse({"--version"})), 0);
}

class OptionsMistake : public testing::TestWithParam<std::vector<const char*>> {};

TEST_P(OptionsMistake, EndsWithTwo) { EXPECT_EQ(std::get<int>(Parse(GetParam())), 2); }

INSTANTIATE_TEST_SUITE_P(
    All, OptionsMistake,
    testing::Values(
        std::vector<const char*>{"--rate", "10", "--concurrency", "4"},
        std::vector<const char*>{"--rate", "0"}, std::vector<const char*>{"--arrivals", "poisson"},
        std::vector<const char*>{"--rate", "1", "--arrivals", "bursts"},
        std::vector<const char*>{"--duration", "10"},
        std::vector<const char*>{"--duration", "1s", "--requests", "5"},
        std::vector<const char*>{"--once"}, std::vector<const char*>{"--labels", "x.npy"},
        std::vector<const char*>{"--input-file", "x.npy"}, std::vector<const char*>{"--rows", "0"},
        std::vector<const char*>{"--exit-ratios", "0.5,x"},
        std::vector<const char*>{"--exit-ratios", "0.5", "--drift", "x.csv"},
        std::vector<const char*>{"--difficulty-input", "x"},
        std::vector<const char*>{"--input-range", "x"},
        std::vector<const char*>{"--input-range", "x=1"},
        std::vector<const char*>{"--input-range", "x=2:1"},
        std::vector<const char*>{"--input-range", "=1:2"},
        std::vector<const char*>{"--input-range", "x=1:2", "--samples", "x.npy"},
        std::vector<const char*>{"--expect", "x.npz"},
        std::vector<const char*>{"--expect-tolerance", "0.1"},
        std::vector<const char*>{"--expect", "ask", "--expect-tolerance", "-1"},
        std::vector<const char*>{"--bogus"}, std::vector<const char*>{"stray"}));

TEST(Options, AnswersAreComparedWithAFileOrTheServersOwn) {
  EXPECT_FALSE(std::get<Options>(Parse({})).samples.expect.given());
  const ExpectOptions file =
      std::get<Options>(Parse({"--samples", "x.npz", "--expect", "y.npz"})).samples.expect;
  EXPECT_EQ(file.file, "y.npz");
  EXPECT_FALSE(file.ask);
  EXPECT_EQ(file.tolerance, 0.05);
  const ExpectOptions ask =
      std::get<Options>(Parse({"--expect", "ask", "--expect-tolerance", "0.001"})).samples.expect;
  EXPECT_TRUE(ask.ask);
  EXPECT_TRUE(ask.file.empty());
  EXPECT_EQ(ask.tolerance, 0.001);
}

TEST(Options, ASearchHasShortProbesAndObjectives) {
  const Options options = std::get<Options>(Parse({"--find-max-rate", "--slo", "p99=20ms,p99=1.5s",
                                                   "--start-rate", "700", "--max-seconds", "30"}));
  EXPECT_EQ(options.output.wanted.objectives,
            (std::vector<Duration>{milliseconds(20), milliseconds(1500)}));
  EXPECT_EQ(options.max_rate->start_rate, 700);
  EXPECT_EQ(options.max_rate->max_time, seconds(30));
  EXPECT_EQ(options.limits.duration, seconds(3));
  EXPECT_EQ(options.limits.warmup, milliseconds(500));
  EXPECT_EQ(std::get<OpenLoop>(options.pace).max_lateness, options.server.deadline);
  EXPECT_FALSE(std::get<Options>(Parse({})).max_rate.has_value());
}

TEST(Options, ASearchTakesTheLengthOfItsProbes) {
  const Options options = std::get<Options>(
      Parse({"--find-max-rate", "--slo", "p99=20ms", "--duration", "2s", "--warmup", "1s"}));
  EXPECT_EQ(options.limits.duration, seconds(2));
  EXPECT_EQ(options.limits.warmup, seconds(1));
}

TEST(Options, ASearchThatMakesNoSenseIsRefused) {
  for (const std::vector<const char*>& arguments : std::vector<std::vector<const char*>>{
           {"--find-max-rate"},
           {"--find-max-rate", "--slo", "p95=20ms"},
           {"--find-max-rate", "--slo", "p99=0s"},
           {"--find-max-rate", "--slo", "p99=20ms", "--rate", "5"},
           {"--find-max-rate", "--slo", "p99=20ms", "--requests", "5"},
           {"--find-max-rate", "--slo", "p99=20ms", "--duration", "0s"},
           {"--find-max-rate", "--slo", "p99=20ms", "--drift", "x.csv"},
           {"--start-rate", "5"}}) {
    EXPECT_EQ(std::get<int>(Parse(arguments)), 2);
  }
}

}  // namespace
}  // namespace escan::loadgen
