#include "worker/verification/probes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "support/temporary_folder.h"
#include "worker/loop/cascade_in_slab.h"

namespace escan {
namespace {

using testing::ElementsAre;

// Two stages on one value: the second reads what the first returns.
CascadeSpec TwoStages(const std::filesystem::path& model) {
  CascadeSpec cascade;
  cascade.name = "c";
  cascade.inputs = {{.name = "x", .datatype = Datatype::kFp32, .shape = {}, .range = {}}};
  for (const char* name : {"first", "second"}) {
    StageSpec stage = NullStage(name, {{.name = "y", .datatype = Datatype::kFp32, .shape = {}}});
    stage.executor = ExecutorKind::kTorchScript;
    stage.model = model;
    cascade.stages.push_back(stage);
  }
  cascade.stages[1].inputs = {{.stage = 0, .tensor = 0}};
  return cascade;
}

float Read(const Slab& slab, SlotId slot, const SlabTensor& tensor) {
  float value = 0;
  std::memcpy(&value, slab.At(slot, tensor.offset), sizeof(value));
  return value;
}

class ProbesTest : public testing::Test {
 protected:
  ProbesTest() {
    for (SlotId slot = 0; slot < CascadeInSlab::kSlots; ++slot) {
      bench_.SetInput<float>(slot, 0, {static_cast<float>(slot + 1)});
    }
  }

  Probes Copy() const { return Probes::Copy(bench_.slab(), bench_.Spec().stride).value(); }

  // Each stage adds one to what it reads.
  absl::Status Prepare(Probes* probes) {
    std::vector<WorkerStage> stages = bench_.Stages();
    for (WorkerStage& stage : stages) stage.model_digest = digest_;
    return probes->Prepare(stages, CacheFolder(cache_), "torch 1",
                           [this](const WorkerStage& stage, const Probes& given) {
                             ++computed_;
                             Reference reference{.remark = "odd"};
                             for (SlotId slot = 0; slot < given.slab().slots(); ++slot) {
                               const float y = Read(given.slab(), slot, stage.inputs[0]) + 1;
                               reference.outputs.append(reinterpret_cast<const char*>(&y),
                                                        sizeof(y));
                             }
                             return absl::StatusOr<Reference>(reference);
                           });
  }

  const TemporaryFolder folder_;
  const std::filesystem::path cache_ = folder_.path("cache");
  CascadeInSlab bench_{TwoStages("model.pt")};
  std::string digest_ = "a digest";
  int computed_ = 0;
};

TEST_F(ProbesTest, HaveARowOfZerosBehindTheGivenOnes) {
  const Probes probes = Copy();
  EXPECT_EQ(probes.rows(), CascadeInSlab::kSlots + 1);
  EXPECT_EQ(Read(probes.slab(), 2, bench_.Stages()[0].inputs[0]), 3);
  EXPECT_EQ(Read(probes.slab(), probes.zeros(), bench_.Stages()[0].inputs[0]), 0);
}

TEST_F(ProbesTest, HoldWhatEachStageMustAnswerToWhatItReads) {
  Probes probes = Copy();
  ASSERT_TRUE(Prepare(&probes).ok());
  const std::vector<WorkerStage> stages = bench_.Stages();
  EXPECT_EQ(Read(probes.slab(), 4, stages[0].outputs[0]), 6);
  EXPECT_EQ(Read(probes.slab(), 4, stages[1].outputs[0]), 7);
  EXPECT_EQ(Read(probes.slab(), probes.zeros(), stages[1].outputs[0]), 2);
  EXPECT_TRUE(probes.comparable(1));
  EXPECT_EQ(probes.remark(1), "odd");
}

TEST_F(ProbesTest, FillAnyBatchWithTheirRows) {
  Probes probes = Copy();
  ASSERT_TRUE(Prepare(&probes).ok());
  const std::vector<SlotId> slots = probes.Batch(0, 67);
  EXPECT_EQ(slots.size(), 67u);
  EXPECT_THAT(std::vector<SlotId>(slots.begin() + 63, slots.end()), ElementsAre(63, 64, 0, 1));
}

TEST_F(ProbesTest, AreComputedOnceAndThenKept) {
  Probes first = Copy();
  ASSERT_TRUE(Prepare(&first).ok());
  EXPECT_EQ(computed_, 2);
  Probes second = Copy();
  ASSERT_TRUE(Prepare(&second).ok());
  EXPECT_EQ(computed_, 2);
  EXPECT_EQ(Read(second.slab(), 9, bench_.Stages()[1].outputs[0]), 12);
  EXPECT_EQ(second.remark(0), "odd");
}

TEST_F(ProbesTest, AreComputedAnewForAnotherModel) {
  Probes first = Copy();
  ASSERT_TRUE(Prepare(&first).ok());
  digest_ = "another";
  Probes second = Copy();
  ASSERT_TRUE(Prepare(&second).ok());
  EXPECT_EQ(computed_, 4);
}

TEST_F(ProbesTest, AreComputedAnewForOtherRows) {
  Probes first = Copy();
  ASSERT_TRUE(Prepare(&first).ok());
  bench_.SetInput<float>(0, 0, {-1});
  Probes second = Copy();
  ASSERT_TRUE(Prepare(&second).ok());
  EXPECT_EQ(computed_, 4);
  EXPECT_EQ(Read(second.slab(), 0, bench_.Stages()[0].outputs[0]), 0);
}

TEST_F(ProbesTest, AreComputedAnewWhereTheKeptOnesAreDamaged) {
  Probes first = Copy();
  ASSERT_TRUE(Prepare(&first).ok());
  for (const auto& entry : std::filesystem::directory_iterator(cache_)) {
    if (entry.path().extension() == ".lock") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put('\x55');
  }
  Probes second = Copy();
  ASSERT_TRUE(Prepare(&second).ok());
  EXPECT_EQ(computed_, 4);
  EXPECT_EQ(Read(second.slab(), 9, bench_.Stages()[1].outputs[0]), 12);
}

TEST_F(ProbesTest, AskAModelThatFailsOnThemForZeros) {
  Probes probes = Copy();
  ASSERT_TRUE(probes
                  .Prepare(bench_.Stages(), CacheFolder(""), "torch 1",
                           [](const WorkerStage&, const Probes& given) {
                             return absl::StatusOr<Reference>(
                                 Reference{.outputs = std::string(4u * given.rows(), '\0'),
                                           .zeros_only = true});
                           })
                  .ok());
  EXPECT_THAT(probes.Batch(0, 3), ElementsAre(probes.zeros(), probes.zeros(), probes.zeros()));
}

}  // namespace
}  // namespace escan
