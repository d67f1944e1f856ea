#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cuda/cuda_fixture.h"
#include "worker/torch/compiled_cascades.h"
#include "worker/torch/compiled_function.h"
#include "worker/torch/reference_model.h"
#include "worker/verification/probes.h"

// Packages of AOTInductor, which tests/worker/torch/make_packages.py compiles for this GPU.
namespace escan {
namespace {

using testing::Each;
using testing::Field;
using testing::HasSubstr;
using testing::SizeIs;

class CudaCompiled : public CudaExecutorTest {
 protected:
  void SetUp() override {
    CudaExecutorTest::SetUp();
    if (IsSkipped()) return;
    const char* const packages = ::getenv("ESCAN_TEST_PACKAGES");
    if (packages == nullptr) GTEST_SKIP() << "ESCAN_TEST_PACKAGES names no folder of packages";
    packages_ = packages;
    HaveCompiledModelsCheckInputs();
  }

  // The package's answers and scores at every number of rows are those of the TorchScript that it
  // was made of, on the CPU.
  void Compare(CascadeSpec cascade, const Path& script, double tolerance) {
    CascadeInSlab bench(cascade);
    cascade.stages[0].model = script;
    CascadeInSlab right(cascade);
    FillInputs(bench, 5, 99);
    FillInputs(right, 5, 99);
    const std::unique_ptr<CudaExecutor> gpu = MakePrepared(bench);
    TorchExecutor cpu = MakeTorchExecutor(right);
    ASSERT_TRUE(Prepare(cpu).ok());
    if (HasFailure()) return;
    const StageSpec& stage = cascade.stages[0];
    for (int rows = 1; rows <= stage.buckets.back(); ++rows) {
      const std::vector<SlotId> slots = ScatteredSlots(static_cast<size_t>(rows));
      const BatchAnswer found = RunOnce(*gpu, 0, slots);
      const BatchAnswer expected = RunOnce(cpu, 0, slots);
      ASSERT_TRUE(found.status.ok()) << found.status;
      EXPECT_EQ(found.failure, "");
      for (size_t row = 0; row < slots.size(); ++row) {
        EXPECT_NEAR(found.results[row].score, expected.results[row].score, tolerance);
        for (size_t i = 0; i < stage.outputs.size(); ++i) {
          const std::vector<float> values = bench.Output<float>(slots[row], 0, i);
          const std::vector<float> wanted = right.Output<float>(slots[row], 0, i);
          for (size_t k = 0; k < values.size(); ++k) {
            ASSERT_NEAR(values[k], wanted[k], tolerance * std::max(1.0f, std::abs(wanted[k])))
                << rows << " rows, row " << row << ", output " << i;
          }
        }
      }
    }
  }

  // Prepares with the cascade's own inputs as probes; what was found.
  absl::Status PrepareChecked(const CascadeSpec& cascade, std::vector<BucketCheck>* checks) {
    CascadeInSlab bench(cascade);
    FillInputs(bench, 5, 99);
    absl::StatusOr<Probes> probes = Probes::Copy(bench.slab(), bench.Spec().stride);
    absl::Status status =
        probes->Prepare(bench.Stages(), CacheFolder(""), "torch", ComputeReference);
    if (!status.ok()) return status;
    CudaExecutor::Options options = {
        .stages = bench.Stages(), .cache = cache_.string(), .probes = &*probes};
    options.log = [this](const std::string& fields) { log_.push_back(fields); };
    CudaExecutor executor(std::move(options), bench.slab());
    status = Prepare(executor);
    *checks = executor.checks();
    EXPECT_GT(executor.gpu_use().memory_bytes, 0u);
    return status;
  }

  Path packages_;
};

TEST_F(CudaCompiled, AnswersAsItsTorchScript) {
  Compare(LookupCascade(packages_ / "lookup.pt2"), packages_ / "lookup.pt", 1e-4);
  EXPECT_TRUE(Logged("variant=aot_inductor")) << Log();
  EXPECT_TRUE(Logged("execution=graph")) << Log();
}

TEST_F(CudaCompiled, AnswersSoEager) {
  CascadeSpec cascade = LookupCascade(packages_ / "lookup.pt2");
  cascade.stages[0].gpu.execution = Execution::kEager;
  Compare(cascade, packages_ / "lookup.pt", 1e-4);
  EXPECT_TRUE(Logged("execution=eager")) << Log();
}

TEST_F(CudaCompiled, ComputesConvolutionsInFp16) {
  CascadeSpec cascade = ConvolutionCascade(packages_ / "images.pt2");
  cascade.stages[0].gpu.precision = Precision::kFp16;
  Compare(cascade, packages_ / "images.pt", 2e-2);
}

TEST_F(CudaCompiled, IsComparedWithItsReference) {
  std::vector<BucketCheck> checks;
  const absl::Status status = PrepareChecked(LookupCascade(packages_ / "lookup.pt2"), &checks);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(checks, SizeIs(3));
  EXPECT_THAT(checks, Each(Field(&BucketCheck::verdict, Verdict::kRight)));
  EXPECT_THAT(checks, Each(Field(&BucketCheck::way, "aot_inductor")));
}

TEST_F(CudaCompiled, IsWrongBesideAReferenceOfAnotherModel) {
  std::vector<BucketCheck> checks;
  const absl::Status status = PrepareChecked(LookupCascade(packages_ / "lying.pt2"), &checks);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("answers wrongly"));
  EXPECT_THAT(checks, Each(Field(&BucketCheck::verdict, Verdict::kWrong)));
}

TEST_F(CudaCompiled, IsUnknownWithoutAReference) {
  std::vector<BucketCheck> checks;
  const absl::Status status = PrepareChecked(LookupCascade(packages_ / "bare.pt2"), &checks);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(checks, Each(Field(&BucketCheck::verdict, Verdict::kUnknown)));
  EXPECT_THAT(checks, Each(Field(&BucketCheck::message, HasSubstr("no answer can be checked"))));
}

TEST_F(CudaCompiled, FindsItsChoiceInTheCacheAtTheNextStart) {
  cache_ = folder_ / "cache";
  std::vector<BucketCheck> checks;
  ASSERT_TRUE(PrepareChecked(LookupCascade(packages_ / "lookup.pt2"), &checks).ok());
  EXPECT_TRUE(Logged("chosen_by=trying")) << Log();
  log_.clear();
  ASSERT_TRUE(PrepareChecked(LookupCascade(packages_ / "lookup.pt2"), &checks).ok());
  EXPECT_TRUE(Logged("chosen_by=cache")) << Log();
}

TEST_F(CudaCompiled, NamesTheInputThatItWasNotCompiledFor) {
  CascadeSpec cascade = LookupCascade(packages_ / "lookup.pt2");
  cascade.inputs[0].datatype = Datatype::kInt32;
  std::vector<BucketCheck> checks;
  CascadeInSlab bench(cascade);
  const std::unique_ptr<CudaExecutor> executor = MakeCuda(bench);
  EXPECT_THAT(std::string(Prepare(*executor).message()), HasSubstr("unmatched dtype"));
}

}  // namespace
}  // namespace escan
