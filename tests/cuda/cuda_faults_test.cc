#include <c10/cuda/CUDACachingAllocator.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "cuda/cuda_fixture.h"
#include "worker/cuda/gpu_device.h"
#include "worker/cuda/torch_gpu.h"

// What a fault does to the process, so each runs in one of its own. CUDA does not survive a fork:
// the child is this program started anew, for that test alone.
namespace escan {
namespace {

constexpr int kAsExpected = 42;

class CudaFaults : public CudaExecutorTest {
 protected:
  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    CudaExecutorTest::SetUp();
  }

  // Ends the child: as expected when `status` is of this kind. What it says is for the parent.
  [[noreturn]] void Exit(const absl::Status& status, absl::StatusCode expected) {
    std::filesystem::remove_all(folder_);
    std::cerr << status << std::endl;
    ::_exit(status.code() == expected ? kAsExpected : 1);
  }

  [[noreturn]] void RunTrapper(Execution execution) {
    CascadeSpec cascade = ImageCascade(folder_ / "trapper.pt");
    cascade.stages[0].gpu.execution = execution;
    CascadeInSlab bench(cascade);
    const std::unique_ptr<CudaExecutor> executor = MakeCuda(bench, /*credits=*/2);
    if (const absl::Status status = Prepare(*executor); !status.ok()) {
      Exit(status, absl::StatusCode::kAborted);
    }
    for (const SlotId slot : {1u, 2u, 3u}) bench.SetInput<uint8_t>(slot, 0, {51, 0, 0, 0});
    const absl::Status good = RunOnce(*executor, 0, {1, 2, 3}).status;
    if (!good.ok()) Exit(good, absl::StatusCode::kOk);
    bench.SetInput<uint8_t>(2, 0, {0, 253, 0, 0});
    Exit(RunOnce(*executor, 0, {1, 2, 3}).status, absl::StatusCode::kAborted);
  }

  // Prepares a cascade with so many bytes for libtorch.
  [[noreturn]] void PrepareWithin(size_t bytes, const CascadeSpec& cascade) {
    const CascadeInSlab bench(cascade);
    size_t free = 0;
    size_t total = 0;
    if (!InitializeGpu("").ok() || cudaMemGetInfo(&free, &total) != cudaSuccess) ::_exit(2);
    const absl::StatusOr<TorchGpu> gpu = TorchGpu::Create();
    c10::cuda::CUDACachingAllocator::setMemoryFraction(
        static_cast<double>(bytes) / static_cast<double>(total), /*device=*/0);
    Exit(Prepare(*MakeCuda(bench)), absl::StatusCode::kResourceExhausted);
  }
};

TEST_F(CudaFaults, ATrapInAGraphAborts) {
  EXPECT_EXIT(RunTrapper(Execution::kGraph), testing::ExitedWithCode(kAsExpected),
              "ABORTED: stage 'only' .*cudaErrorAssert");
}

TEST_F(CudaFaults, ATrapInAnEagerStageAborts) {
  EXPECT_EXIT(RunTrapper(Execution::kEager), testing::ExitedWithCode(kAsExpected),
              "ABORTED: stage 'only' .*cudaErrorAssert");
}

TEST_F(CudaFaults, TooLittleMemoryForIntermediateResultsIsSaid) {
  CascadeSpec cascade = ImageCascade(folder_ / "hog.pt");
  cascade.stages[0].buckets = {1, 32};  // 2 GiB
  EXPECT_EXIT(PrepareWithin(size_t{1} << 30, cascade), testing::ExitedWithCode(kAsExpected),
              "RESOURCE_EXHAUSTED: stage 'only' .*hog.pt.*with zeros for 'image' UINT8 "
              "\\[32,4\\].*out of memory.*memory_limit");
}

TEST_F(CudaFaults, TooLittleMemoryForWeightsIsSaid) {
  // 128 MiB, picked from by the input so that they are not folded away.
  constexpr int64_t kElements = 32 << 20;
  const CascadeSpec cascade =
      ScalarCascade(Save("def forward(self, x): return torch.index_select(self.w, 0, x.long())\n",
                         {{"w", {kElements}, std::vector<float>(kElements, 1.0f)}}));
  EXPECT_EXIT(PrepareWithin(size_t{60} << 20, cascade), testing::ExitedWithCode(kAsExpected),
              "RESOURCE_EXHAUSTED: stage 'only' .*out of memory.*memory_limit");
}

}  // namespace
}  // namespace escan
