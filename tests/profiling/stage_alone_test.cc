#include "profiling/stage_alone.h"

#include <gtest/gtest.h>

#include "profiling/profiled_cascade.h"

namespace escan {
namespace {

TEST(StageAlone, ReadsFromTheRequestWhatItReadFromEarlierStages) {
  const CascadeSpec cascade = ProfiledCascade();
  const CascadeSpec late = StageAlone(cascade, 1);
  EXPECT_EQ(late.name, "digits.late");
  ASSERT_EQ(late.stage_count(), 1);
  ASSERT_EQ(late.inputs.size(), 2u);
  EXPECT_EQ(late.inputs[0], cascade.inputs[0]);
  EXPECT_EQ(late.inputs[1], cascade.stages[0].outputs[0]);
  EXPECT_EQ(late.stages[0].inputs,
            (std::vector<TensorRef>{{.stage = TensorRef::kRequest, .tensor = 0},
                                    {.stage = TensorRef::kRequest, .tensor = 1}}));
}

TEST(StageAlone, TakesRequestsOfItsLargestBatch) {
  EXPECT_EQ(StageAlone(ProfiledCascade(), 0).max_rows, 4);
  EXPECT_EQ(StageAlone(ProfiledCascade(), 1).max_rows, 8);
}

TEST(StageAlone, HasTheSlotsOfTheCascade) {
  CascadeSpec cascade = ProfiledCascade();
  cascade.slots = 300;
  EXPECT_EQ(StageAlone(cascade, 1).slots, 300);
}

TEST(StageAlone, IsCheckedWithTheProbeFileUnlessItReadsWhatIsNotInThere) {
  CascadeSpec cascade = ProfiledCascade();
  cascade.probe = "/rows.npz";
  EXPECT_EQ(StageAlone(cascade, 0).probe, "/rows.npz");
  EXPECT_EQ(StageAlone(cascade, 1).probe, "");
}

}  // namespace
}  // namespace escan
