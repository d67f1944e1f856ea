// Scores that are compared with those of a calibration, in an engine with processes.
#include <string>

#include "engine/engine_harness.h"
#include "gtest/gtest.h"

namespace escan {
namespace {

using State = DriftStatus::State;

// The calibration saw as many scores below 0.5 as above; windows of 100 samples.
State StateAfter(const std::vector<uint8_t>& first_bytes) {
  CascadeSpec cascade = TestCascade(2);
  cascade.calibration.stages = {
      {.threshold = 0.5f, .lowest_threshold = std::nullopt, .scores = {{0.5f}, {500, 500}}},
      {.threshold = std::nullopt, .lowest_threshold = std::nullopt, .scores = {}}};
  EngineOptions options;
  options.scheduler.drift = {.window = Duration(1), .samples = 100};
  EngineHarness harness(cascade, TestPlan(1, 2), "good", options);
  harness.WaitReady();
  for (int i = 0; i < 30; ++i) harness.ExpectAnswered(*harness.Submit(first_bytes), first_bytes);
  const EngineStatus status = harness.engine().Status();
  EXPECT_GE(status.stages[0].statistics.drift.windows, 1u);
  EXPECT_EQ(status.stages[1].statistics.drift, DriftStatus{}) << "it has no scores to compare with";
  return status.stages[0].statistics.drift.state;
}

TEST(EngineDrift, SeesWhetherScoresAreThoseOfTheCalibration) {
  EXPECT_EQ(StateAfter({200, 3, 4, 201}), State::kAsCalibrated);
  EXPECT_EQ(StateAfter({200, 200, 200, 201}), State::kDrifted);
}

}  // namespace
}  // namespace escan
