// Random sequences of everything that can happen to a scheduler, checked against a model that knows
// only the contract: what each stage says of each row is fixed beforehand.
#include <gtest/gtest.h>

#include <cstdint>

#include "scheduling/random_world.h"

namespace escan {
namespace {

class SchedulerProperty : public ::testing::TestWithParam<uint32_t> {};

void RunWorlds(uint32_t part, Events events) {
  constexpr uint32_t kSequences = 500;
  for (uint32_t i = 0; i < kSequences && !::testing::Test::HasFailure(); ++i) {
    const uint32_t seed = part * kSequences + i;
    SCOPED_TRACE(seed);
    RandomWorld(seed, events).Run(200);
  }
}

TEST_P(SchedulerProperty, HoldsUnderRandomEvents) { RunWorlds(GetParam(), Events::kAll); }

TEST_P(SchedulerProperty, FailsExactlyTheRowsThatEndWorkers) {
  RunWorlds(GetParam(), Events::kOnlyCulprits);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SchedulerProperty, ::testing::Range(0u, 10u));

}  // namespace
}  // namespace escan
