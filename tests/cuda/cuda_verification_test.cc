#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "cuda/cuda_fixture.h"
#include "worker/torch/reference_model.h"
#include "worker/verification/probes.h"

// What a worker on a GPU finds out about its answers before it is ready.
namespace escan {
namespace {

using testing::AllOf;
using testing::Each;
using testing::Field;
using testing::Gt;
using testing::HasSubstr;
using testing::SizeIs;

// Which element of the right answers is spoilt: row 2 of three.
constexpr size_t kSpoilt = 2 * 10 + 4;

class CudaVerification : public CudaExecutorTest {
 protected:
  void SetUp() override {
    CudaExecutorTest::SetUp();
    SaveConvolutions(folder_ / "convolutions.pt");
  }

  CascadeSpec Cascade(Precision precision, Execution execution = Execution::kAuto) const {
    CascadeSpec cascade = ConvolutionCascade(folder_ / "convolutions.pt");
    cascade.stages[0].gpu = {.precision = precision, .execution = execution};
    return cascade;
  }

  // The first rows of the bench, with what is right or, where `spoilt`, with one element that is
  // not.
  Probes Prepare(CascadeInSlab& bench, bool spoilt = false) {
    FillInputs(bench, 3);
    const size_t stride = bench.Spec().stride;
    absl::StatusOr<Slab> given = Slab::Create({.slots = 3, .stride = stride});
    for (SlotId slot = 0; slot < 3; ++slot) {
      std::memcpy(given->At(slot, 0), bench.slab().At(slot, 0), stride);
    }
    absl::StatusOr<Probes> probes = Probes::Copy(*given, stride);
    const absl::Status status = probes->Prepare(
        bench.Stages(), CacheFolder(""), "", [&](const WorkerStage& stage, const Probes& rows) {
          absl::StatusOr<Reference> reference = ComputeReference(stage, rows);
          if (spoilt) reinterpret_cast<float*>(reference->outputs.data())[kSpoilt] += 0.5f;
          return reference;
        });
    EXPECT_TRUE(status.ok()) << status;
    return *std::move(probes);
  }

  std::unique_ptr<CudaExecutor> Make(const CascadeInSlab& bench, const Probes& probes,
                                     int credits = 1) {
    CudaExecutor::Options options = {
        .stages = bench.Stages(), .credits = credits, .cache = cache_.string(), .probes = &probes};
    options.log = [this](const std::string& fields) { log_.push_back(fields); };
    return std::make_unique<CudaExecutor>(std::move(options), bench.slab());
  }
};

TEST_F(CudaVerification, FindsEveryBucketRightInEachPrecisionAndExecution) {
  for (const Precision precision : {Precision::kFp32, Precision::kFp16}) {
    for (const Execution execution : {Execution::kGraph, Execution::kEager}) {
      for (const int credits : {1, 2}) {
        CascadeInSlab bench(Cascade(precision, execution));
        const Probes probes = Prepare(bench);
        const std::unique_ptr<CudaExecutor> executor = Make(bench, probes, credits);
        const absl::Status status = CudaExecutorTest::Prepare(*executor);
        ASSERT_TRUE(status.ok()) << status << "\n" << Log();
        EXPECT_THAT(executor->checks(), SizeIs(3));
        EXPECT_THAT(executor->checks(),
                    Each(AllOf(Field(&BucketCheck::verdict, Verdict::kRight),
                               Field(&BucketCheck::step, Gt(Duration::zero())))));
      }
    }
  }
}

TEST_F(CudaVerification, AStageThatIsWrongInEveryWayIsNeverReady) {
  CascadeInSlab bench(Cascade(Precision::kFp16));
  const Probes probes = Prepare(bench, /*spoilt=*/true);
  cache_ = folder_ / "cache";
  std::unique_ptr<CudaExecutor> executor = Make(bench, probes);
  absl::Status status = CudaExecutorTest::Prepare(*executor);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("multiprocessors answers wrongly: with 4 rows, row 2: "
                              "'probabilities'[4] is "),
                    HasSubstr("is right")));
  EXPECT_THAT(executor->checks(), Each(Field(&BucketCheck::verdict, Verdict::kWrong)));
  EXPECT_TRUE(Logged("event=answers_wrong stage=only")) << Log();

  // What was found is kept: the next worker does not try everything again.
  log_.clear();
  executor.reset();  // a slab is mapped for the GPU once in a process
  executor = Make(bench, probes);
  status = CudaExecutorTest::Prepare(*executor);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_FALSE(Logged("event=answers_wrong")) << Log();
}

TEST_F(CudaVerification, WhatWasFoundRightIsKeptForTheNextWorker) {
  CascadeInSlab bench(Cascade(Precision::kFp16));
  const Probes probes = Prepare(bench);
  cache_ = folder_ / "cache";
  absl::Status status = CudaExecutorTest::Prepare(*Make(bench, probes));
  ASSERT_TRUE(status.ok()) << status << "\n" << Log();
  log_.clear();
  const std::unique_ptr<CudaExecutor> second = Make(bench, probes);
  status = CudaExecutorTest::Prepare(*second);
  ASSERT_TRUE(status.ok()) << status << "\n" << Log();
  EXPECT_TRUE(Logged("chosen_by=cache")) << Log();
  EXPECT_THAT(second->checks(), Each(Field(&BucketCheck::verdict, Verdict::kRight)));
}

TEST_F(CudaVerification, LeavesTheSamplesSlotsAlone) {
  CascadeInSlab bench(Cascade(Precision::kFp32));
  const Probes probes = Prepare(bench);
  const std::vector<float> before(10, -7.0f);
  for (SlotId slot = 0; slot < CascadeInSlab::kSlots; ++slot) {
    bench.SetOutput<float>(slot, 0, 0, before);
  }
  ASSERT_TRUE(CudaExecutorTest::Prepare(*Make(bench, probes)).ok());
  for (SlotId slot = 0; slot < CascadeInSlab::kSlots; ++slot) {
    EXPECT_EQ(bench.Output<float>(slot, 0, 0), before);
  }
}

}  // namespace
}  // namespace escan
