#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "cuda/cuda_fixture.h"

// Loading, choosing and keeping choices.
namespace escan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class CudaPreparation : public CudaExecutorTest {
 protected:
  std::string PrepareError(const CascadeSpec& cascade) {
    const CascadeInSlab bench(cascade);
    const absl::Status status = Prepare(*MakeCuda(bench));
    EXPECT_FALSE(status.ok());
    return std::string(status.message());
  }
};

TEST_F(CudaPreparation, CountsAStepForEachBucketAndSaysWhatItTakes) {
  SaveConvolutions(folder_ / "convolutions.pt");
  CascadeSpec cascade = ConvolutionCascade(folder_ / "convolutions.pt");
  cascade.stages[0].buckets = {1, 4};
  const CascadeInSlab bench(cascade);
  const std::unique_ptr<CudaExecutor> executor = MakeCuda(bench);
  EXPECT_EQ(executor->gpu_use().multiprocessors, 0);
  std::vector<std::pair<int, int>> steps;
  const absl::Status status =
      executor->Prepare([&](int done, int total) { steps.emplace_back(done, total); });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(steps, ElementsAre(Pair(0, 2), Pair(1, 2), Pair(2, 2)));
  EXPECT_GT(executor->gpu_use().multiprocessors, 0);
  EXPECT_GT(executor->gpu_use().memory_bytes, size_t{1} << 20);
  EXPECT_TRUE(Logged("event=loaded stage=only variant=")) << Log();
  EXPECT_TRUE(Logged("precision=fp32")) << Log();
  EXPECT_TRUE(Logged("execution=graph chosen_by=trying")) << Log();
}

TEST_F(CudaPreparation, TakesTheChoiceOfAnEarlierStart) {
  cache_ = folder_ / "cache";
  SaveConvolutions(folder_ / "convolutions.pt");
  CascadeInSlab bench(ConvolutionCascade(folder_ / "convolutions.pt"));
  FillInputs(bench, 1);
  MakePrepared(bench);
  EXPECT_TRUE(Logged("chosen_by=trying")) << Log();
  log_.clear();
  const std::unique_ptr<CudaExecutor> executor = MakePrepared(bench);
  EXPECT_TRUE(Logged("chosen_by=cache")) << Log();
  EXPECT_TRUE(RunOnce(*executor, 0, {1, 2, 3}).status.ok());
}

TEST_F(CudaPreparation, KeepsThatAModelCannotBeCaptured) {
  cache_ = folder_ / "cache";
  const CascadeInSlab bench(ImageCascade(folder_ / "thrower.pt"));
  MakePrepared(bench);
  log_.clear();
  MakePrepared(bench);
  EXPECT_TRUE(Logged("event=eager stage=only reason=\"")) << Log();
  EXPECT_TRUE(Logged("execution=eager chosen_by=cache")) << Log();
}

TEST_F(CudaPreparation, IgnoresAKeptChoiceThatIsBroken) {
  cache_ = folder_ / "cache";
  const CascadeInSlab bench(ScalarCascade(Save("def forward(self, x): return x + 1")));
  MakePrepared(bench);
  for (const auto& file : std::filesystem::directory_iterator(cache_)) {
    std::ofstream(file.path()) << "{";
  }
  log_.clear();
  MakePrepared(bench);
  EXPECT_TRUE(Logged("event=cache_ignored stage=only reason=\"")) << Log();
  EXPECT_TRUE(Logged("chosen_by=trying")) << Log();
  log_.clear();
  MakePrepared(bench);
  EXPECT_TRUE(Logged("chosen_by=cache")) << Log();
}

TEST_F(CudaPreparation, NamesTheStageAndTheFileThatIsMissing) {
  EXPECT_EQ(PrepareError(ScalarCascade(folder_ / "absent.pt")),
            "stage 'only' (" + (folder_ / "absent.pt").string() +
                "): cannot open the model: No such file or directory");
}

TEST_F(CudaPreparation, NamesTheOutputThatIsNotAsDeclared) {
  EXPECT_THAT(PrepareError(ScalarCascade(Save("def forward(self, x): return x.double()"))),
              HasSubstr("forward() returned for output 'y' FP64 [8], expected FP32 [8]"));
}

TEST_F(CudaPreparation, PointsToFp32WhereFp16Throws) {
  CascadeSpec cascade = ScalarCascade(Save(R"(
def forward(self, x):
    if x.dtype == 5:
        assert False, "no halves"
    return x + 1
)"));
  cascade.stages[0].gpu.precision = Precision::kFp16;
  const std::string message = PrepareError(cascade);
  EXPECT_THAT(message, HasSubstr("with zeros for 'x' FP32 [8]: "));
  EXPECT_THAT(message, HasSubstr("no halves"));
  EXPECT_THAT(message, HasSubstr("`precision: fp32`"));
}

TEST_F(CudaPreparation, RefusesAnotherGpuThanWasMeant) {
  const CascadeInSlab bench(ScalarCascade(Save("def forward(self, x): return x")));
  CudaExecutor executor({.stages = bench.Stages(),
                         .gpu = "GPU-00000000-0000-0000-0000-000000000000",
                         .log = [](const std::string&) {}},
                        bench.slab());
  const absl::Status status = Prepare(executor);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("expected GPU-00000000-0000-0000-0000-000000000000"));
}

}  // namespace
}  // namespace escan
