#include "simulation/device_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace escan {
namespace {

using std::chrono::microseconds;

constexpr double kKnee = 4;
constexpr TimePoint kStart{std::chrono::hours(1)};

Seconds ToSeconds(Duration duration) { return duration; }

// Steps per second of n workers that each run one step after the other.
double SaturatedRate(int workers, Seconds step, Seconds device_time, double knee) {
  constexpr int kSteps = 20000;
  DeviceModel device(knee);
  TimePoint now = kStart;
  for (WorkerId worker = 0; worker < workers; ++worker) {
    device.Start(worker, step, device_time, now);
  }
  for (int i = 0; i < kSteps; ++i) {
    now = device.NextFinish();
    device.Start(device.FinishNext(), step, device_time, now);
  }
  return kSteps / ToSeconds(now - kStart).count();
}

TEST(DeviceModel, NeverFinishesWhileNothingRuns) {
  EXPECT_EQ(DeviceModel(kKnee).NextFinish(), TimePoint::max());
}

TEST(DeviceModel, AStepAloneTakesItsOwnTimeWhateverItsLoad) {
  for (const double load : {0.01, 0.3, 1.0, 1.5}) {
    DeviceModel device(kKnee);
    const Seconds step = ToSeconds(microseconds(700));
    device.Start(3, step, step * load, kStart);
    EXPECT_EQ(device.NextFinish(), kStart + microseconds(700));
    EXPECT_EQ(device.FinishNext(), 3);
    EXPECT_EQ(device.NextFinish(), TimePoint::max());
  }
}

TEST(DeviceModel, SmallStepsHardlySlowEachOther) {
  const Seconds step = ToSeconds(microseconds(100));
  EXPECT_NEAR(SaturatedRate(2, step, step * 0.05, kKnee), 2 / step.count(), 1e-4 / step.count());
}

TEST(DeviceModel, StepsSlowEachOtherByTheLaw) {
  // Loads 0.5 and 1, the sum 1.5: by hand (1 + 1.5^4 - 0.5^4)^(1/4) = 1.565085 and
  // (1 + 1.5^4 - 1)^(1/4) = 1.5.
  const Seconds step = ToSeconds(microseconds(1000));
  DeviceModel device(kKnee);
  device.Start(0, step, step * 0.5, kStart);
  device.Start(1, step * 10, step * 10, kStart);
  EXPECT_NEAR(ToSeconds(device.NextFinish() - kStart).count(), 1565.085e-6, 1e-8);
  // What is left of the other one, 10 - 1.565085 / 1.5 steps, it does alone.
  const TimePoint alone = device.NextFinish();
  EXPECT_EQ(device.FinishNext(), 0);
  EXPECT_NEAR(ToSeconds(device.NextFinish() - alone).count(), (10 - 1.565085 / 1.5) * step.count(),
              1e-8);
}

TEST(DeviceModel, ManyStepsSaturateTheDevice) {
  // n steps of the device time w take n w together, whatever one of them takes alone.
  const Seconds step = ToSeconds(microseconds(100));
  for (const double load : {0.05, 0.3, 1.0}) {
    const Seconds device_time = step * load;
    EXPECT_NEAR(SaturatedRate(400, step, device_time, kKnee) * device_time.count(), 1, 0.01)
        << load;
  }
}

TEST(DeviceModel, StepsThatFillTheDeviceAloneTakeTurns) {
  const Seconds step = ToSeconds(microseconds(100));
  EXPECT_NEAR(SaturatedRate(2, step, step, kKnee) * step.count(), 1, 1e-3);
}

TEST(DeviceModel, ASharperKneeIsCloserToTheLesserOfBothBounds) {
  // At n d = 1 worker and device bound are equal.
  const Seconds step = ToSeconds(microseconds(100));
  const double bound = 10 / step.count();
  const double soft = SaturatedRate(10, step, step * 0.1, 2);
  const double sharp = SaturatedRate(10, step, step * 0.1, 16);
  EXPECT_NEAR(soft / bound, 1 / std::sqrt(2.0), 0.01);
  EXPECT_NEAR(sharp / bound, std::pow(2.0, -1.0 / 16), 0.01);
}

TEST(DeviceModel, TheOrderOfStartsAtOneTimeChangesNothing) {
  struct Step {
    WorkerId worker;
    Seconds step;
    Seconds device_time;
  };
  std::vector<Step> steps;
  for (WorkerId worker = 0; worker < 6; ++worker) {
    const Seconds step = ToSeconds(microseconds(100 + 37 * worker));
    steps.push_back({worker, step, step * (0.1 + 0.15 * worker)});
  }
  const auto finishes = [&] {
    DeviceModel device(kKnee);
    for (const Step& step : steps) device.Start(step.worker, step.step, step.device_time, kStart);
    std::vector<std::pair<WorkerId, double>> ends;
    while (device.NextFinish() != TimePoint::max()) {
      const double at = ToSeconds(device.NextFinish() - kStart).count();
      ends.emplace_back(device.FinishNext(), at);
    }
    return ends;
  };
  const auto forwards = finishes();
  std::reverse(steps.begin(), steps.end());
  const auto backwards = finishes();
  ASSERT_EQ(forwards.size(), backwards.size());
  for (size_t i = 0; i < forwards.size(); ++i) {
    EXPECT_EQ(forwards[i].first, backwards[i].first);
    EXPECT_NEAR(forwards[i].second, backwards[i].second, 2e-9);
  }
}

TEST(DeviceModel, AStepKeepsWhatItHasDoneWhenOthersComeAndGo) {
  // Without load nothing slows, however often the speeds are worked out anew.
  DeviceModel device(kKnee);
  device.Start(0, ToSeconds(microseconds(1000)), Seconds(0), kStart);
  for (int i = 0; i < 9; ++i) {
    const TimePoint now = kStart + microseconds(100 * i);
    device.Start(1, ToSeconds(microseconds(50)), Seconds(0), now);
    EXPECT_EQ(device.NextFinish(), now + microseconds(50));
    EXPECT_EQ(device.FinishNext(), 1);
  }
  EXPECT_EQ(device.NextFinish(), kStart + microseconds(1000));
}

TEST(DeviceModel, OfStepsThatEndTogetherTheFirstStartedIsFirst) {
  DeviceModel device(kKnee);
  for (const WorkerId worker : {2, 0, 1}) {
    device.Start(worker, ToSeconds(microseconds(10)), ToSeconds(microseconds(1)), kStart);
  }
  EXPECT_EQ(device.FinishNext(), 2);
  EXPECT_EQ(device.FinishNext(), 0);
  EXPECT_EQ(device.FinishNext(), 1);
}

}  // namespace
}  // namespace escan
