#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "cuda/cuda_fixture.h"

// Models that cannot be captured as graphs.
namespace escan {
namespace {

using testing::HasSubstr;

using CudaEager = CudaExecutorTest;

TEST_F(CudaEager, IsHowAModelRunsThatCannotBeCaptured) {
  CascadeInSlab bench(ImageCascade(folder_ / "slow.pt"));
  const std::unique_ptr<CudaExecutor> executor = MakePrepared(bench);
  EXPECT_TRUE(Logged("event=eager stage=only reason=\"")) << Log();
  EXPECT_TRUE(Logged("execution=eager")) << Log();
  EXPECT_FALSE(Logged("reason=\"\"")) << Log();
  bench.SetInput<uint8_t>(1, 0, {255, 0, 51, 2});
  const BatchAnswer answer = RunOnce(*executor, 0, {1});
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(answer.failure, "");
  const double sum = std::exp(8) + 1 + std::exp(1.6);
  EXPECT_NEAR(bench.Output<float>(1, 0, 0)[0], std::exp(8) / sum, 1e-4);
}

TEST_F(CudaEager, IsAnErrorWhereAGraphIsWanted) {
  CascadeSpec cascade = ImageCascade(folder_ / "slow.pt");
  cascade.stages[0].gpu.execution = Execution::kGraph;
  const CascadeInSlab bench(cascade);
  const absl::Status status = Prepare(*MakeCuda(bench));
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              testing::StartsWith("stage 'only' (" + cascade.stages[0].model.string() +
                                  "): cannot be captured as a CUDA graph: "));
  EXPECT_THAT(std::string(status.message()), HasSubstr("`execution: eager`"));
}

TEST_F(CudaEager, ARowThatTheModelThrowsOnFailsAlone) {
  CascadeInSlab bench(ImageCascade(folder_ / "thrower.pt"));
  const std::unique_ptr<CudaExecutor> executor = MakePrepared(bench, /*credits=*/2);
  if (HasFailure()) return;
  const std::vector<SlotId> slots = {10, 11, 12, 13, 14, 15, 16, 17};
  for (const SlotId slot : slots) bench.SetInput<uint8_t>(slot, 0, {51, 0, 0, 0});
  bench.SetInput<uint8_t>(15, 0, {0, 255, 0, 0});
  const BatchAnswer answer = RunOnce(*executor, 0, slots);
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(answer.failure, "AssertionError: 255 is not allowed");
  const double p = std::exp(1.6) / (std::exp(1.6) + 2);
  for (size_t row = 0; row < slots.size(); ++row) {
    EXPECT_EQ(answer.results[row].failed, slots[row] == 15) << row;
    if (slots[row] == 15) continue;
    EXPECT_NEAR(bench.Output<float>(slots[row], 0, 0)[0], p, 1e-4);
  }
}

TEST_F(CudaEager, BatchesOfEagerAndCapturedStagesFinishInTheirOrder) {
  CascadeSpec cascade = ImageCascade(folder_ / "thrower.pt");
  cascade.stages.push_back(TorchStage("graph", folder_ / "backbone_small.pt", {{.tensor = 0}},
                                      {{.name = "p", .shape = {3}}, {.name = "f", .shape = {8}}}));
  CascadeInSlab bench(cascade);
  const std::unique_ptr<CudaExecutor> executor = MakePrepared(bench, /*credits=*/2);
  if (HasFailure()) return;
  const double sum = std::exp(8) + 2;
  for (int round = 0; round < 4; ++round) {
    const std::vector<SlotId> eager = {1, 2};
    const std::vector<SlotId> graph = {3};
    for (const SlotId slot : {1u, 2u}) bench.SetInput<uint8_t>(slot, 0, {0, 254, 0, 0});
    bench.SetInput<uint8_t>(3, 0, {255, 0, 0, 0});
    ASSERT_TRUE(executor->Start({.stage = 0, .slots = eager}).ok());
    ASSERT_TRUE(executor->Start({.stage = 1, .slots = graph}).ok());
    std::vector<RowResult> results(2);
    std::string failure;
    ASSERT_TRUE(executor->Finish(results, &failure).ok());
    EXPECT_NEAR(bench.Output<float>(2, 0, 0)[1], std::exp(8) / sum, 1e-2);
    results.resize(1);
    ASSERT_TRUE(executor->Finish(results, &failure).ok());
    EXPECT_NEAR(bench.Output<float>(3, 1, 0)[0], std::exp(8) / sum, 1e-4);
  }
}

}  // namespace
}  // namespace escan
