#include "profiling/cost_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "simulation/device_model.h"

namespace escan {
namespace {

using testing::DoubleNear;
using testing::Each;
using testing::SizeIs;

const std::vector<int> kGpuCounts = {1, 2, 4, 8};

// The rates of clients whose steps take `alone`, `load` of the device each, by the law as it is
// simulated: that all of them run from the beginning makes no difference to their speeds.
ClientRates RatesByLaw(const std::vector<int>& client_counts, Seconds alone, double load,
                       double knee) {
  ClientRates rates;
  for (const int clients : client_counts) {
    DeviceModel device(knee);
    for (int i = 0; i < clients; ++i) device.Start(i, alone, alone * load, TimePoint());
    rates.push_back(clients / Seconds(device.NextFinish() - TimePoint()).count());
  }
  return rates;
}

std::vector<ClientRates> ManyRates(const std::vector<int>& client_counts, double knee) {
  std::vector<ClientRates> many;
  for (const double load : {0.05, 0.2, 0.35, 0.6, 0.9}) {
    many.push_back(RatesByLaw(client_counts, Seconds(100e-6), load, knee));
    many.push_back(RatesByLaw(client_counts, Seconds(20e-3), load, knee));
  }
  return many;
}

void Disturb(std::vector<ClientRates>* many, double part) {
  std::mt19937_64 random(1);
  for (ClientRates& rates : *many) {
    for (double& rate : rates) rate *= 1 + part * (static_cast<double>(random() % 2001) / 1000 - 1);
  }
}

TEST(CostFit, FindsTheKneeOfTheLaw) {
  for (const double knee : {1.0, 1.75, 2.5, 4.0, 9.0, 16.0}) {
    EXPECT_EQ(FitKnee(kGpuCounts, ManyRates(kGpuCounts, knee)), knee);
    EXPECT_EQ(FitKnee({1, 2, 4}, ManyRates({1, 2, 4}, knee)), knee);
  }
}

TEST(CostFit, FindsTheDeviceTimeOfTheLaw) {
  for (const double knee : {1.0, 4.0, 16.0}) {
    for (const double load : {0.3, 0.5, 0.8, 1.0}) {
      const Seconds alone(3e-3);
      const ClientRates rates = RatesByLaw(kGpuCounts, alone, load, knee);
      const double expected = (alone * load).count();
      for (const Seconds time : FitDeviceTimes(kGpuCounts, rates, knee)) {
        EXPECT_NEAR(time.count(), expected, expected * 0.02) << load << " at knee " << knee;
      }
    }
  }
}

TEST(CostFit, KeepsApartWhatTheLawSaysOfEachCount) {
  // Caches that more clients spoil: their steps take more of the device, not more time alone.
  ClientRates rates = RatesByLaw(kGpuCounts, Seconds(1e-3), 0.8, 4);
  rates.back() = RatesByLaw({8}, Seconds(1e-3), 1.0, 4).front();
  const std::vector<Seconds> times = FitDeviceTimes(kGpuCounts, rates, 4);
  EXPECT_NEAR(times[1].count(), 0.8e-3, 1e-6);
  EXPECT_NEAR(times[2].count(), 0.8e-3, 1e-6);
  EXPECT_NEAR(times[3].count(), 1e-3, 1e-6);
  EXPECT_EQ(times[0], times[1]);
}

TEST(CostFit, ACountWithoutVisibleSlowingTakesTheNextOne) {
  // Two steps of a fifth of the device do not show that they share it; eight do.
  const ClientRates rates = RatesByLaw(kGpuCounts, Seconds(1e-3), 0.2, 8);
  const std::vector<Seconds> times = FitDeviceTimes(kGpuCounts, rates, 8);
  EXPECT_EQ(times[0], times[3]);
  EXPECT_EQ(times[1], times[3]);
  EXPECT_EQ(times[2], times[3]);
  EXPECT_NEAR(times[3].count(), 0.2e-3, 1e-6);
}

TEST(CostFit, StepsThatDoNotSlowEachOtherTakeAsMuchAsWouldNotShow) {
  const ClientRates rates = {1000, 2000, 4000, 8000};
  const std::vector<Seconds> times = FitDeviceTimes(kGpuCounts, rates, 4);
  EXPECT_THAT(times, Each(times[0]));
  const double load = times[0].count() / 1e-3;
  EXPECT_NEAR(RatesByLaw({8}, Seconds(1e-3), load, 4).front(), 8000 / 1.02, 1);
}

TEST(CostFit, AClientThatGainsFromOthersIsNoMoreThanNotSlowed) {
  const std::vector<Seconds> exact = FitDeviceTimes(kGpuCounts, {1000, 2000, 4000, 8000}, 4);
  const std::vector<Seconds> faster = FitDeviceTimes(kGpuCounts, {1000, 2100, 4300, 8400}, 4);
  EXPECT_EQ(faster, exact);
}

TEST(CostFit, StepsThatHinderEachOtherTakeMoreThanTheDevice) {
  const std::vector<Seconds> times = FitDeviceTimes({1, 2}, {1000, 800}, 4);
  EXPECT_GT(times[1].count(), 1e-3);
  EXPECT_LT(times[1].count(), 1.0 / 800 + 1e-4);
}

TEST(CostFit, NoiseMovesTheKneeALittle) {
  std::vector<ClientRates> many = ManyRates(kGpuCounts, 4);
  Disturb(&many, 0.03);
  EXPECT_THAT(FitKnee(kGpuCounts, many), DoubleNear(4, 1));
}

TEST(CostFit, NoNoiseMakesATimeThatIsNone) {
  for (const double knee : {1.0, 4.0, 16.0}) {
    for (const double load : {0.001, 0.1, 0.5, 1.0, 3.0}) {
      std::vector<ClientRates> many(200, RatesByLaw(kGpuCounts, Seconds(1e-5), load, knee));
      Disturb(&many, 0.5);
      for (const ClientRates& rates : many) {
        for (const Seconds time : FitDeviceTimes(kGpuCounts, rates, knee)) {
          EXPECT_TRUE(std::isfinite(time.count()) && time.count() > 0) << time.count();
        }
      }
      const double found = FitKnee(kGpuCounts, many);
      EXPECT_TRUE(found >= 1 && found <= 16) << found;
    }
  }
}

TEST(CostFit, TheKneeIsTheDefaultWhereNothingTellsIt) {
  EXPECT_EQ(FitKnee(kGpuCounts, {{1000, 2000, 4000, 8000}}), 4);
  EXPECT_EQ(FitKnee({1, 2}, {{1000, 1100}}), 4);
  EXPECT_EQ(FitKnee({1}, {{1000}}), 4);
  EXPECT_EQ(FitKnee(kGpuCounts, {}), 4);
}

TEST(CostFit, CurvesThatDoNotBendHaveNoSayInTheKnee) {
  std::vector<ClientRates> many = ManyRates(kGpuCounts, 2);
  for (int i = 0; i < 100; ++i) many.push_back({1000, 1950, 4100, 8000});
  EXPECT_EQ(FitKnee(kGpuCounts, many), 2);
}

TEST(CostFit, OneClientAloneHasTheWholeDevice) {
  EXPECT_THAT(FitDeviceTimes({1}, {500}, 4), SizeIs(1));
  EXPECT_EQ(FitDeviceTimes({1}, {500}, 4).front(), Seconds(1.0 / 500));
}

}  // namespace
}  // namespace escan
