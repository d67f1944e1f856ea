#include "loadgen/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "loadgen/report_json.h"
#include "support/temporary_folder.h"

namespace escan::loadgen {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

RunDescription ClosedRun() {
  return {.target = "127.0.0.1:8001",
          .model = "digits",
          .pace = ClosedLoop{.concurrency = 16},
          .rows_per_request = 2,
          .connections = 4,
          .threads = 2,
          .labelled = true};
}

RunDescription OpenRun() {
  RunDescription run = ClosedRun();
  run.pace = OpenLoop{.arrivals = Arrivals::kConstant, .rate = 100, .seed = 1};
  run.labelled = false;
  return run;
}

template <typename T>
std::string Bytes(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(std::data(values)), values.size() * sizeof(T)};
}

Outcome TenAnswersAndTwoErrors() {
  Outcome outcome;
  const int64_t labels[] = {0, 0};
  for (int i = 1; i <= 10; ++i) {
    outcome.tally.AddAnswer({.time = {.latency = milliseconds(i), .rows = 2}, .labels = labels},
                            {Bytes<int32_t>({1, 2}), Bytes<float>({.9f, .1f, .1f, .9f})});
  }
  outcome.tally.AddError(absl::UnavailableError("gone"));
  outcome.tally.AddError(absl::UnavailableError("still gone"));
  outcome.schedule_span = seconds(2);
  outcome.elapsed = seconds(4);
  outcome.cpu = milliseconds(120);
  return outcome;
}

TEST(Report, ComputesRatesFromSuccessesOverTheElapsedTime) {
  const Report report = BuildReport(ClosedRun(), TenAnswersAndTwoErrors());
  EXPECT_EQ(report.sent, 12);
  EXPECT_EQ(report.failed, 2);
  EXPECT_DOUBLE_EQ(report.achieved.requests, 2.5);
  EXPECT_DOUBLE_EQ(report.achieved.samples, 5.0);
  EXPECT_FALSE(report.offered.has_value());
}

TEST(Report, WhatWasNotSentIsPartOfTheOfferedRate) {
  Outcome outcome = TenAnswersAndTwoErrors();
  outcome.not_sent = {.outstanding = 5, .late = 3};
  const Report report = BuildReport(OpenRun(), std::move(outcome));
  EXPECT_DOUBLE_EQ(report.offered->requests, 10.0);
  EXPECT_DOUBLE_EQ(report.offered->samples, 20.0);
}

TEST(Report, TheTextShowsEverything) {
  const std::string text = ToText(BuildReport(ClosedRun(), TenAnswersAndTwoErrors()));
  EXPECT_EQ(text,
            "target        127.0.0.1:8001, model digits\n"
            "load          closed loop, concurrency 16, 2 rows a request, 4 channels\n"
            "measured      4.000 s\n"
            "requests      12 sent, 10 succeeded, 2 failed\n"
            "achieved             2.5 requests/s         5.0 samples/s\n"
            "latency ms    mean 5.500  p50 5.000  p90 9.000  p95 10.000  p99 10.000  p99.9 10.000  "
            "max 10.000\n"
            "exit 1                10 samples   50.00 %  accuracy 100.00 %\n"
            "exit 2                10 samples   50.00 %  accuracy 0.00 %\n"
            "accuracy      50.00 % (10 of 20)\n"
            "error         2 UNAVAILABLE: gone\n"
            "generator     0.120 CPU s, 10000.0 us a request\n");
}

TEST(Report, TheTextNamesRequestsThatWereNotSent) {
  Outcome outcome = TenAnswersAndTwoErrors();
  outcome.not_sent = {.outstanding = 5, .late = 3};
  outcome.interrupted = true;
  EXPECT_THAT(ToText(BuildReport(OpenRun(), std::move(outcome))),
              testing::AllOf(HasSubstr("5 not sent (too many outstanding), 3 not sent (generator "
                                       "too late)\n"),
                             HasSubstr("4.000 s (interrupted)\n"), HasSubstr("offered "),
                             Not(HasSubstr("accuracy"))));
}

// Ratios of 0.5 from 0 s, of 1 from 2.5 s and of 0 from 4 s; nothing was sent in the last segment.
Report DriftReport() {
  const TemporaryFolder folder;
  RunDescription run = OpenRun();
  run.exits =
      *ExitSchedule::FromFile(folder.Write("drift.csv", "seconds,exit_1\n0,0.5\n2.5,1\n4,0\n"));
  Outcome outcome;
  outcome.tally.AddAnswer({.time = {.latency = milliseconds(1), .rows = 4}},
                          {Bytes<int32_t>({1, 2, 2, 2}), {}});
  outcome.tally.AddAnswer({.time = {.latency = milliseconds(1), .rows = 3}, .exit_segment = 1},
                          {Bytes<int32_t>({1, 1, 3}), {}});
  outcome.elapsed = seconds(5);
  return BuildReport(run, std::move(outcome));
}

TEST(Report, TheTextComparesTheExitsOfEachSegmentWithWhatWasAsked) {
  EXPECT_THAT(ToText(DriftReport()),
              HasSubstr("exit 3                 1 samples   14.29 %\n"
                        "from 0 s      exit 1 25.00 % (asked 50.00 %)  exit 2 75.00 % (asked 50.00 "
                        "%)\n"
                        "from 2.5 s    exit 1 66.67 % (asked 100.00 %)  exit 2 0.00 % (asked 0.00 "
                        "%)  exit 3 33.33 % (asked 0.00 %)\n"
                        "from 4 s      no sample\n"));
}

TEST(Report, TheJsonHasTheExitsOfEachSegment) {
  const auto json = nlohmann::json::parse(ToJson(DriftReport()));
  const auto& segments = json["exit_segments"];
  ASSERT_EQ(segments.size(), 3u);
  EXPECT_EQ(segments[1]["start_s"], 2.5);
  ASSERT_EQ(segments[0]["exits"].size(), 2u);
  EXPECT_EQ(segments[0]["exits"][1]["stage"], 2);
  EXPECT_EQ(segments[0]["exits"][1]["samples"], 3);
  EXPECT_EQ(segments[0]["exits"][1]["share"], 0.75);
  EXPECT_EQ(segments[0]["exits"][1]["target_share"], 0.5);
  EXPECT_EQ(segments[2]["exits"][1]["samples"], 0);
  EXPECT_EQ(segments[2]["exits"][1]["share"], 0.0);
  EXPECT_EQ(segments[2]["exits"][1]["target_share"], 1.0);
}

TEST(Report, WithoutControlOfExitsThereAreNoSegments) {
  const Report report = BuildReport(ClosedRun(), TenAnswersAndTwoErrors());
  EXPECT_FALSE(nlohmann::json::parse(ToJson(report)).contains("exit_segments"));
}

// One right, one wrong and one unknown answer to the same sample.
Report ComparedReport() {
  RightAnswers right({{.name = "value", .datatype = Datatype::kInt32}}, 1, 0);
  const std::string value = Bytes<int32_t>({7});
  right.Set(0, 1, {value});
  RunDescription run = ClosedRun();
  run.labelled = false;
  run.compared = true;
  Outcome outcome;
  for (const auto& [stage, answer] : {std::pair(1, 7), {1, 8}, {2, 7}}) {
    const std::string answered = Bytes<int32_t>({answer});
    outcome.tally.AddAnswer({.right = &right},
                            {.exit_stages = Bytes<int32_t>({stage}), .outputs = {answered}});
  }
  return BuildReport(run, std::move(outcome));
}

TEST(Report, TheTextSaysHowManyAnswersWereWrongAndTheFirst) {
  const std::string wrong =
      "sample 0, stage 1, in a request of 1 row: 'value' is 8 where 7 is right";
  EXPECT_THAT(ToText(ComparedReport()),
              HasSubstr("compared      2 samples, 1 wrong\n"
                        "first wrong   " +
                        wrong +
                        "\n"
                        "warning       1 samples were answered by a stage of which no right answer "
                        "is known\n"
                        "error         1 BAD_ANSWER: " +
                        wrong + "\n"));
  EXPECT_THAT(ToText(BuildReport(ClosedRun(), TenAnswersAndTwoErrors())),
              Not(HasSubstr("compared")));
}

TEST(Report, TheJsonHasTheComparison) {
  const auto json = nlohmann::json::parse(ToJson(ComparedReport()))["compared_samples"];
  EXPECT_EQ(json["right"], 1);
  EXPECT_EQ(json["wrong"], 1);
  EXPECT_EQ(json["unknown"], 1);
  EXPECT_EQ(json["first_wrong"],
            "sample 0, stage 1, in a request of 1 row: 'value' is 8 where 7 is right");
  const Report without = BuildReport(ClosedRun(), TenAnswersAndTwoErrors());
  EXPECT_FALSE(nlohmann::json::parse(ToJson(without)).contains("compared_samples"));
}

TEST(Report, WarnsWhenTheGeneratorWasLate) {
  Outcome punctual = TenAnswersAndTwoErrors();
  punctual.lateness = {microseconds(900)};
  EXPECT_FALSE(GeneratorWasLate(BuildReport(OpenRun(), std::move(punctual))));
  Outcome late = TenAnswersAndTwoErrors();
  late.lateness = {milliseconds(2)};
  const Report report = BuildReport(OpenRun(), std::move(late));
  EXPECT_TRUE(GeneratorWasLate(report));
  EXPECT_THAT(ToText(report), HasSubstr("warning "));
}

TEST(Report, TheJsonHasStableKeys) {
  Outcome outcome = TenAnswersAndTwoErrors();
  outcome.lateness = {milliseconds(1)};
  outcome.not_sent.late = 4;
  RunDescription run = OpenRun();
  run.labelled = true;
  const auto json = nlohmann::json::parse(ToJson(BuildReport(run, std::move(outcome))));
  EXPECT_EQ(json["target"], "127.0.0.1:8001");
  EXPECT_EQ(json["model"], "digits");
  EXPECT_EQ(json["loop"], "open");
  EXPECT_EQ(json["arrivals"], "constant");
  EXPECT_EQ(json["rate_requests_per_s"], 100.0);
  EXPECT_EQ(json["seed"], 1);
  EXPECT_EQ(json["rows_per_request"], 2);
  EXPECT_EQ(json["channels"], 4);
  EXPECT_EQ(json["threads"], 2);
  EXPECT_EQ(json["interrupted"], false);
  EXPECT_EQ(json["elapsed_s"], 4.0);
  EXPECT_EQ(json["requests"]["sent"], 12);
  EXPECT_EQ(json["requests"]["succeeded"], 10);
  EXPECT_EQ(json["requests"]["failed"], 2);
  EXPECT_EQ(json["requests"]["not_sent_outstanding"], 0);
  EXPECT_EQ(json["requests"]["not_sent_late"], 4);
  EXPECT_EQ(json["samples"], 20);
  EXPECT_EQ(json["offered_requests_per_s"], 8.0);
  EXPECT_EQ(json["offered_samples_per_s"], 16.0);
  EXPECT_EQ(json["achieved_requests_per_s"], 2.5);
  EXPECT_EQ(json["achieved_samples_per_s"], 5.0);
  EXPECT_EQ(json["latency_ms"]["mean"], 5.5);
  EXPECT_EQ(json["latency_ms"]["p99_9"], 10.0);
  EXPECT_EQ(json["exits"][1]["stage"], 2);
  EXPECT_EQ(json["exits"][1]["samples"], 10);
  EXPECT_EQ(json["exits"][1]["share"], 0.5);
  EXPECT_EQ(json["exits"][1]["accuracy"], 0.0);
  EXPECT_EQ(json["accuracy"], 0.5);
  EXPECT_EQ(json["correct"], 10);
  EXPECT_EQ(json["errors"][0]["code"], "UNAVAILABLE");
  EXPECT_EQ(json["errors"][0]["count"], 2);
  EXPECT_EQ(json["errors"][0]["first_message"], "gone");
  EXPECT_EQ(json["send_lateness_ms"]["max"], 1.0);
  EXPECT_EQ(json["generator_was_late"], false);
  EXPECT_EQ(json["generator_cpu_s"], 0.12);
}

TEST(Report, NothingMeasuredIsNotDividedByZero) {
  const Report report = BuildReport(ClosedRun(), Outcome());
  EXPECT_EQ(report.achieved.requests, 0);
  EXPECT_TRUE(nlohmann::json::parse(ToJson(report))["latency_ms"].is_null());
  EXPECT_THAT(ToText(report), Not(HasSubstr("nan")));
}

TEST(Report, TheProgressLineShowsTheRateSinceTheLastOne) {
  const RunProgress before{.elapsed = seconds(1), .answered = 100};
  const RunProgress now{
      .elapsed = seconds(3), .answered = 500, .failed = 2, .in_flight = 16, .p99 = milliseconds(4)};
  EXPECT_EQ(ToLine(before, now), "3.0 s  200 answers/s  16 in flight  2 failed  p99 4.00 ms");
}

}  // namespace
}  // namespace escan::loadgen
