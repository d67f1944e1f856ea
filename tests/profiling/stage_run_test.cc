#include "profiling/stage_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "profiling/profiled_cascade.h"
#include "profiling/stage_alone.h"

namespace escan {
namespace {

using testing::HasSubstr;

CascadeSpec LateStage(int slots) {
  CascadeSpec cascade = ProfiledCascade();
  cascade.slots = slots;
  return StageAlone(cascade, 1);
}

TEST(SlotsFor, AreThoseThatADaemonHas) {
  EXPECT_EQ(SlotsFor(LateStage(4096), 1).value(), 4096);
  EXPECT_EQ(SlotsFor(LateStage(4096), 4).value(), 4096);
}

TEST(SlotsFor, AreMoreWhereTheClientsNeedMore) {
  // Each three batches of 8 rows under way, and one that is answered.
  EXPECT_EQ(SlotsFor(LateStage(100), 4).value(), 4 * 8 * 4);
}

TEST(SlotsFor, AreNoMoreThanTheSlabHolds) {
  CascadeSpec cascade = LateStage(4096);
  cascade.inputs.front().shape = {1 << 20};
  const int slots = SlotsFor(cascade, 4).value();
  EXPECT_GE(slots, 1000);
  EXPECT_LT(slots, 1024);  // outputs and the slab's header take something, too
}

TEST(SlotsFor, SaysThatABatchFindsNoRoom) {
  CascadeSpec cascade = LateStage(4096);
  cascade.inputs.front().shape = {1 << 28};
  const absl::Status status = SlotsFor(cascade, 1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("1 GiB holds 3 of them, a batch has 8"));
}

}  // namespace
}  // namespace escan
