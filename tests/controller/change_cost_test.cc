#include "controller/change_cost.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace escan {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

Plan Workers(std::vector<WorkerGroup> groups) {
  Plan plan;
  plan.workers = std::move(groups);
  return plan;
}

const Plan kOne = Workers({{.count = 1, .stages = {0}}});
const Plan kFive = Workers({{.count = 5, .stages = {0}}});

EngineStatus Status(uint64_t batches, Duration each) {
  EngineStatus status;
  status.plan = kOne;
  status.workers.push_back({.member = {.id = 0, .start_took = seconds(2)}});
  StageStatistics& statistics = status.stages.emplace_back().statistics;
  statistics.batches_of_rows[4] = batches;
  statistics.execute_ns_of_rows[4] = batches * static_cast<uint64_t>(each.count());
  return status;
}

TEST(ChangeCost, CountsTheWorkersThatAreNotThereYet) {
  EXPECT_EQ(StartsFor(kOne, kOne), 0);
  EXPECT_EQ(StartsFor(kOne, kFive), 4);
  EXPECT_EQ(StartsFor(kFive, kOne), 0);
  EXPECT_EQ(StartsFor(kOne, Workers({{.count = 2, .thread_percent = 50, .stages = {0}}})), 2);
}

TEST(ChangeCost, IsExpectedFromTheFirstStartsUntilAChangeWasMeasured) {
  const EngineStatus before = Status(100, milliseconds(10));
  ChangeCostMeter in_turn(true);
  EXPECT_EQ(in_turn.Expect(before, kFive).time, seconds(8));
  EXPECT_EQ(in_turn.Expect(before, kFive).slowdown, 1);
  EXPECT_EQ(ChangeCostMeter(false).Expect(before, kFive).time, seconds(2)) << "all at once";

  EngineStatus after = Status(100, milliseconds(10));  // 50 more, of 30 ms
  after.stages[0].statistics.batches_of_rows[4] += 50;
  after.stages[0].statistics.execute_ns_of_rows[4] += 50 * 30'000'000;
  in_turn.Measured(before, after, 4, seconds(20));
  EXPECT_EQ(in_turn.Expect(before, kFive).time, seconds(20));
  EXPECT_DOUBLE_EQ(in_turn.Expect(before, kFive).slowdown, 3);
  EXPECT_EQ(in_turn.Expect(before, kOne).time, Duration::zero());
}

constexpr Seconds Ms(int n) { return milliseconds(n); }

TEST(ChangeCost, IsPaidWhereMoreIsServedForLongEnough) {
  const Workload workload{.exit_ratios = {0}, .rate = 1000};
  const SimulatedFigures before{.capacity = 500, .goodput = 500, .p99 = Ms(100)};
  const SimulatedFigures after{.capacity = 2000, .goodput = 1000, .p99 = Ms(20)};
  const ChangeCost minute{.time = minutes(1), .slowdown = 2};
  EXPECT_EQ(WhyNotWorth(minute, workload, before, after, minutes(5)), "");
  EXPECT_THAT(WhyNotWorth(minute, workload, before, after, seconds(70)),
              HasSubstr("1.5e+04 samples are lost by it, and 5000 won in 10 s"));
}

TEST(ChangeCost, IsNotPaidForLatencyByAPlanThatCouldNotServeMeanwhile) {
  const Workload workload{.exit_ratios = {0}, .rate = 100};
  const SimulatedFigures before{.capacity = 150, .goodput = 150, .p99 = Ms(50)};
  const SimulatedFigures after{.capacity = 400, .goodput = 400, .p99 = Ms(20)};
  EXPECT_THAT(WhyNotWorth({.time = seconds(1), .slowdown = 2}, workload, before, after, minutes(5)),
              HasSubstr("steps take 2 times as long: too long for 100/s"));
  EXPECT_EQ(
      WhyNotWorth({.time = seconds(10), .slowdown = 1.1}, workload, before, after, minutes(5)), "");
}

TEST(ChangeCost, IsNotPaidForLatencyThatLastsShorterThanTheChange) {
  const Workload workload{.exit_ratios = {0}, .rate = 10};
  const SimulatedFigures before{.capacity = 150, .goodput = 150, .p99 = Ms(50)};
  const SimulatedFigures after{.capacity = 400, .goodput = 400, .p99 = Ms(40)};
  EXPECT_THAT(
      WhyNotWorth({.time = minutes(4), .slowdown = 1.5}, workload, before, after, minutes(5)),
      HasSubstr("more is lost by it than won in 60 s"));
}

}  // namespace
}  // namespace escan
