#include "worker/loop/null_executor.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "worker/loop/cascade_in_slab.h"
#include "worker/loop/composite_executor.h"

namespace escan {
namespace {

CascadeSpec TwoNullStages() {
  CascadeSpec cascade;
  cascade.inputs = {{.name = "x", .datatype = Datatype::kUint8, .shape = {4}}};
  cascade.stages = {
      NullStage("first", {{.name = "p", .shape = {3}}}),
      NullStage("second", {{.name = "p", .shape = {3}},
                           {.name = "n", .datatype = Datatype::kInt64, .shape = {}}})};
  cascade.stages[0].exit = {.score = ExitScore::kMaxProbability, .threshold = 0.5f};
  return cascade;
}

TEST(NullExecutor, AnswersZerosInTheBatchsSlotsAlone) {
  CascadeInSlab bench(TwoNullStages());
  for (const SlotId slot : {1u, 2u, 3u}) {
    bench.SetOutput<float>(slot, 1, 0, {1, 2, 3});
    bench.SetOutput<int64_t>(slot, 1, 1, {9});
  }
  NullExecutor executor(bench.Stages(), bench.slab());
  ASSERT_TRUE(executor.Prepare([](int, int) {}).ok());
  const std::array<SlotId, 2> slots = {3, 1};
  std::array<RowResult, 2> results;
  std::string failure;
  ASSERT_TRUE(executor.Start({.stage = 1, .slots = slots}).ok());
  ASSERT_TRUE(executor.Finish(results, &failure).ok());
  for (const SlotId slot : slots) {
    EXPECT_EQ(bench.Output<float>(slot, 1, 0), (std::vector<float>{0, 0, 0}));
    EXPECT_EQ(bench.Output<int64_t>(slot, 1, 1), std::vector<int64_t>{0});
  }
  EXPECT_EQ(bench.Output<float>(2, 1, 0), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(bench.Output<int64_t>(2, 1, 1), std::vector<int64_t>{9});
  EXPECT_FALSE(results[0].failed);
  EXPECT_EQ(failure, "");
}

TEST(NullExecutor, ScoresZeroOnlyWhereTheStageIsScored) {
  CascadeInSlab bench(TwoNullStages());
  NullExecutor executor(bench.Stages(), bench.slab());
  const std::array<SlotId, 1> slots = {0};
  std::array<RowResult, 1> results;
  std::string failure;
  ASSERT_TRUE(executor.Start({.stage = 0, .slots = slots}).ok());
  ASSERT_TRUE(executor.Start({.stage = 1, .slots = slots}).ok());
  ASSERT_TRUE(executor.Finish(results, &failure).ok());
  EXPECT_EQ(results[0].score, 0.0f);
  ASSERT_TRUE(executor.Finish(results, &failure).ok());
  EXPECT_TRUE(std::isnan(results[0].score));
}

TEST(NullExecutor, ComparesItsZerosWithWhatWasAnswered) {
  CascadeInSlab bench(TwoNullStages());
  bench.SetOutput<float>(3, 0, 0, {0, 0.25f, 0.75f});
  NullExecutor executor(bench.Stages(), bench.slab());
  const std::array<SlotId, 2> slots = {1, 3};
  std::array<RowResult, 2> results;
  std::string difference;
  ASSERT_TRUE(executor.Start({.stage = 0, .slots = slots, .purpose = BatchPurpose::kCompare}).ok());
  ASSERT_TRUE(executor.Finish(results, &difference).ok());
  EXPECT_FALSE(results[0].differs);
  EXPECT_TRUE(results[1].differs);
  EXPECT_EQ(difference, "row 1: 'p'[1] is 0 where 0.25 is right");
  EXPECT_EQ(bench.Output<float>(3, 0, 0), (std::vector<float>{0, 0.25f, 0.75f}));
}

TEST(NullExecutor, IsPreparedAtOnce) {
  CascadeInSlab bench(TwoNullStages());
  NullExecutor executor(bench.Stages(), bench.slab());
  std::vector<std::pair<int, int>> steps;
  ASSERT_TRUE(executor.Prepare([&](int done, int total) { steps.emplace_back(done, total); }).ok());
  EXPECT_EQ(steps, (std::vector<std::pair<int, int>>{{4, 4}}));
}

CompositeExecutor InTwoParts(const CascadeInSlab& bench) {
  std::vector<CompositeExecutor::Part> parts;
  for (const WorkerStage& stage : bench.Stages()) {
    const std::vector<WorkerStage> stages = {stage};
    parts.push_back({stages, std::make_unique<NullExecutor>(stages, bench.slab())});
  }
  return CompositeExecutor(std::move(parts));
}

TEST(CompositeExecutor, CountsThePreparationOfAllParts) {
  CascadeInSlab bench(TwoNullStages());
  CompositeExecutor executor = InTwoParts(bench);
  std::vector<std::pair<int, int>> steps;
  ASSERT_TRUE(executor.Prepare([&](int done, int total) { steps.emplace_back(done, total); }).ok());
  EXPECT_EQ(steps, (std::vector<std::pair<int, int>>{{2, 4}, {4, 4}}));
}

TEST(CompositeExecutor, FinishesInTheOrderOfStartsAcrossParts) {
  CascadeInSlab bench(TwoNullStages());
  CompositeExecutor executor = InTwoParts(bench);
  const std::array<SlotId, 1> slots = {0};
  std::array<RowResult, 1> results;
  std::string failure;
  for (const int stage : {1, 0, 1}) {
    ASSERT_TRUE(executor.Start({.stage = stage, .slots = slots}).ok());
  }
  for (const bool scored : {false, true, false}) {
    ASSERT_TRUE(executor.Finish(results, &failure).ok());
    EXPECT_EQ(!std::isnan(results[0].score), scored);
  }
}

// Stands for one that uses a GPU.
class WaitingExecutor : public NullExecutor {
 public:
  using NullExecutor::NullExecutor;

  void AwaitDoneOrReadable(int fd) override { awaited_.push_back(fd); }
  GpuUse gpu_use() const override { return {.multiprocessors = 66, .memory_bytes = 1000}; }
  const std::vector<int>& awaited() const { return awaited_; }

 private:
  std::vector<int> awaited_;
};

TEST(CompositeExecutor, WaitsWithThePartOfTheOldestBatchAndTellsWhatAllPartsUse) {
  CascadeInSlab bench(TwoNullStages());
  const std::vector<WorkerStage> stages = bench.Stages();
  const std::vector<WorkerStage> first = {stages[0]};
  const std::vector<WorkerStage> second = {stages[1]};
  auto waiting = std::make_unique<WaitingExecutor>(first, bench.slab());
  const WaitingExecutor& gpu = *waiting;
  std::vector<CompositeExecutor::Part> parts;
  parts.push_back({second, std::make_unique<NullExecutor>(second, bench.slab())});
  parts.push_back({first, std::move(waiting)});
  CompositeExecutor executor(std::move(parts));
  EXPECT_EQ(executor.gpu_use().multiprocessors, 66);
  EXPECT_EQ(executor.gpu_use().memory_bytes, 1000u);

  const std::array<SlotId, 1> slots = {0};
  std::array<RowResult, 1> results;
  std::string failure;
  executor.AwaitDoneOrReadable(7);  // nothing is unfinished
  ASSERT_TRUE(executor.Start({.stage = 1, .slots = slots}).ok());
  ASSERT_TRUE(executor.Start({.stage = 0, .slots = slots}).ok());
  executor.AwaitDoneOrReadable(8);
  EXPECT_TRUE(gpu.awaited().empty());
  ASSERT_TRUE(executor.Finish(results, &failure).ok());
  executor.AwaitDoneOrReadable(9);
  EXPECT_EQ(gpu.awaited(), std::vector<int>{9});
}

TEST(CompositeExecutor, RefusesAStageThatNoPartHosts) {
  CascadeInSlab bench(TwoNullStages());
  CompositeExecutor executor = InTwoParts(bench);
  const std::array<SlotId, 1> slots = {0};
  EXPECT_EQ(executor.Start({.stage = 2, .slots = slots}).code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace escan
