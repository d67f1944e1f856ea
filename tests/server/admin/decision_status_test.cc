#include "server/admin/decision_status.h"

#include <limits>

#include "gtest/gtest.h"

namespace escan {
namespace {

TEST(DecisionStatus, HasTheDateAndWhatIsPredicted) {
  const Moment now{.monotonic = TimePoint(std::chrono::seconds(100)),
                   .wall = std::chrono::system_clock::time_point(std::chrono::seconds(1'000'000))};
  PlanDecision decision{.time = TimePoint(std::chrono::milliseconds(90'500)),
                        .trigger = SearchTrigger::kExitRatio,
                        .cause = "why",
                        .workload = {.exit_ratios = {0.25, 0.5}, .rate = 20, .rows_per_request = 3},
                        .samples = {400, 300},
                        .action = PlanAction::kChanged,
                        .reason = "better",
                        .change_time = std::chrono::milliseconds(1500)};
  decision.before =
      SimulatedFigures{.goodput = 5, .p99 = Seconds(std::numeric_limits<double>::infinity())};
  decision.after = SimulatedFigures{.capacity = 8, .goodput = 7, .p99 = Seconds(0.25)};
  const v1::PlanDecision described = Describe(decision, now);
  EXPECT_EQ(described.time().seconds(), 999'990);
  EXPECT_EQ(described.time().nanos(), 500'000'000);
  EXPECT_EQ(described.trigger(), "exit_ratio");
  ASSERT_EQ(described.exit_ratios_size(), 1) << "the last stage always answers";
  EXPECT_EQ(described.exit_ratios(0), 0.25);
  EXPECT_EQ(described.samples(0), 400u);
  EXPECT_EQ(described.rate(), 20);
  EXPECT_EQ(described.rows_per_request(), 3u);
  EXPECT_FALSE(described.before().has_p99());
  EXPECT_EQ(described.after().p99().nanos(), 250'000'000);
  EXPECT_EQ(described.after().capacity(), 8);
  EXPECT_EQ(described.action(), "changed");
  EXPECT_EQ(described.change_time().seconds(), 1);
  decision.after.reset();
  decision.workload.rate.reset();
  EXPECT_FALSE(Describe(decision, now).has_after());
  EXPECT_FALSE(Describe(decision, now).has_rate());
}

}  // namespace
}  // namespace escan
