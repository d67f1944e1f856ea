#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cuda/cuda_fixture.h"

// The GPU's answers are the CPU's.
namespace escan {
namespace {

// FP32 is computed without TF32, so it differs by the order of sums alone.
double NearEnough(Precision precision) { return precision == Precision::kFp32 ? 1e-4 : 2e-2; }

// What the stage gave for a row, of all its outputs.
std::vector<float> Outputs(const CascadeInSlab& bench, SlotId slot, size_t stage) {
  std::vector<float> all;
  for (size_t i = 0; i < bench.cascade().stages[stage].outputs.size(); ++i) {
    const std::vector<float> row = bench.Output<float>(slot, stage, i);
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

class CudaAnswers : public CudaExecutorTest,
                    public testing::WithParamInterface<std::tuple<Precision, Execution>> {
 protected:
  void SetGpuOptions(CascadeSpec& cascade) {
    std::tie(options_.precision, options_.execution) = GetParam();
    for (StageSpec& stage : cascade.stages) stage.gpu = options_;
  }

  // Runs every number of rows on both, and compares.
  void Compare(CascadeSpec cascade) {
    SetGpuOptions(cascade);
    CascadeInSlab bench(cascade);
    FillInputs(bench, 7);
    const std::unique_ptr<CudaExecutor> gpu = MakePrepared(bench);
    TorchExecutor cpu = MakeTorchExecutor(bench);
    ASSERT_TRUE(Prepare(cpu).ok());
    if (HasFailure()) return;
    for (int stage = 0; stage < cascade.stage_count(); ++stage) {
      const int most = cascade.stages[static_cast<size_t>(stage)].buckets.back();
      for (int rows = 1; rows <= most; ++rows) CompareBatch(bench, *gpu, cpu, stage, rows);
    }
  }

  void CompareBatch(CascadeInSlab& bench, CudaExecutor& gpu, TorchExecutor& cpu, int stage,
                    int rows) {
    SCOPED_TRACE(absl::StrCat("stage ", stage, ", ", rows, " rows"));
    const auto index = static_cast<size_t>(stage);
    const double tolerance = NearEnough(options_.precision);
    const std::vector<SlotId> slots = ScatteredSlots(static_cast<size_t>(rows), index * 11);
    const BatchAnswer found = RunOnce(gpu, stage, slots);
    ASSERT_TRUE(found.status.ok()) << found.status;
    EXPECT_EQ(found.failure, "");
    std::vector<std::vector<float>> outputs;
    for (const SlotId slot : slots) outputs.push_back(Outputs(bench, slot, index));
    const BatchAnswer expected = RunOnce(cpu, stage, slots);
    const float threshold = bench.cascade().stages[index].exit.threshold;
    for (size_t row = 0; row < slots.size(); ++row) {
      const std::vector<float> right = Outputs(bench, slots[row], index);
      for (size_t i = 0; i < right.size(); ++i) {
        ASSERT_NEAR(outputs[row][i], right[i], tolerance) << "row " << row << ", value " << i;
      }
      const float score = expected.results[row].score;
      if (std::isnan(score)) {
        EXPECT_TRUE(std::isnan(found.results[row].score));
        continue;
      }
      EXPECT_NEAR(found.results[row].score, score, tolerance) << "row " << row;
      if (std::abs(score - threshold) > 1e-2) {
        EXPECT_EQ(found.results[row].score >= threshold, score >= threshold) << "row " << row;
      }
    }
    CompareOnTheGpu(bench, gpu, stage, slots);
  }

  // The slots hold the CPU's answers.
  void CompareOnTheGpu(CascadeInSlab& bench, CudaExecutor& gpu, int stage,
                       const std::vector<SlotId>& slots) {
    const auto index = static_cast<size_t>(stage);
    BatchAnswer compared = RunOnce(gpu, stage, slots, BatchPurpose::kCompare);
    ASSERT_TRUE(compared.status.ok()) << compared.status;
    EXPECT_EQ(compared.failure, "");
    const SlotId last = slots.back();
    std::vector<float> wrong = bench.Output<float>(last, index, 0);
    wrong.back() += 10;
    bench.SetOutput<float>(last, index, 0, wrong);
    compared = RunOnce(gpu, stage, slots, BatchPurpose::kCompare);
    EXPECT_TRUE(compared.results.back().differs);
    EXPECT_NE(compared.failure, "");
    EXPECT_EQ(bench.Output<float>(last, index, 0), wrong) << "a slot was written";
  }

  GpuOptions options_;
};

TEST_P(CudaAnswers, OfConvolutions) {
  SaveConvolutions(folder_ / "convolutions.pt");
  CascadeSpec cascade = ConvolutionCascade(folder_ / "convolutions.pt");
  cascade.stages[0].buckets = {1, 3, 16};
  Compare(cascade);
}

TEST_P(CudaAnswers, OfConvolutionsInEitherOrderOfWeights) {
  SaveConvolutions(folder_ / "convolutions.pt");
  for (const MemoryLayout layout : {MemoryLayout::kContiguous, MemoryLayout::kChannelsLast}) {
    options_.layout = layout;
    CascadeSpec cascade = ConvolutionCascade(folder_ / "convolutions.pt");
    cascade.stages[0].buckets = {4};
    Compare(cascade);
  }
}

TEST_P(CudaAnswers, OfAStageThatReadsAnothersOutput) {
  CascadeSpec cascade = ImageCascade(folder_ / "backbone_small.pt");
  cascade.stages[0].outputs.push_back({.name = "features", .shape = {8}});
  cascade.stages[0].exit = {.score = ExitScore::kMargin, .threshold = 0.5f};
  cascade.stages.push_back(TorchStage("large", folder_ / "backbone_large.pt",
                                      {{.stage = 0, .tensor = 1}},
                                      {{.name = "probabilities", .shape = {3}}}));
  cascade.stages[1].exit = {.score = ExitScore::kEntropy, .threshold = 0.5f};
  Compare(cascade);
}

TEST_P(CudaAnswers, OfAModelThatScoresItself) {
  CascadeSpec cascade = ImageCascade(folder_ / "scored.pt");
  cascade.stages[0].outputs.push_back({.name = "score", .shape = {1}});
  cascade.stages[0].exit = {.score = ExitScore::kOutput, .output = 1, .threshold = 0.5f};
  Compare(cascade);
}

TEST_P(CudaAnswers, OfAModelWithAnFp32Input) {
  CascadeSpec cascade = ImageCascade(
      Save("def forward(self, scale, image):\n"
           "    return torch.softmax(torch.matmul(image * (1 / 255.0) * scale, self.w), 1)\n",
           {{"w", {4, 3}, {8, 0, 0, 0, 8, 0, 0, 0, 8, 1, 2, 3}}}));
  cascade.inputs.push_back({.name = "scale", .shape = {1}});
  cascade.stages[0].inputs = {{.tensor = 1}, {.tensor = 0}};
  cascade.stages[0].exit = {.score = ExitScore::kMaxProbability, .threshold = 0.5f};
  Compare(cascade);
}

TEST_P(CudaAnswers, TooLargeForAKernelToWriteToTheHost) {
  CascadeSpec cascade = ImageCascade(Save(
      "def forward(self, image):\n"
      "    x = image.float() / 255.0\n"
      "    return torch.softmax(torch.matmul(x, self.w), 1), x[:, :1].expand(-1, 9001) * 0.5\n",
      {{"w", {4, 3}, {8, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0}}}));
  cascade.stages[0].outputs.push_back({.name = "wide", .shape = {9001}});
  cascade.stages[0].exit = {.score = ExitScore::kMaxProbability, .threshold = 0.5f};
  cascade.stages[0].buckets = {1, 20};
  Compare(cascade);
}

INSTANTIATE_TEST_SUITE_P(Each, CudaAnswers,
                         testing::Combine(testing::Values(Precision::kFp32, Precision::kFp16),
                                          testing::Values(Execution::kGraph, Execution::kEager)),
                         [](const auto& info) {
                           return absl::StrCat(std::string(Name(std::get<0>(info.param))), "_",
                                               std::string(Name(std::get<1>(info.param))));
                         });

class CudaDatatype : public CudaExecutorTest, public testing::WithParamInterface<Datatype> {};

TEST_P(CudaDatatype, TravelsThroughAModelUnchanged) {
  const TensorSpec tensor = {.name = "x", .datatype = GetParam(), .shape = {3}};
  CascadeSpec cascade;
  cascade.inputs = {tensor};
  cascade.stages = {TorchStage("only", Save("def forward(self, x): return x.clone()"),
                               {{.tensor = 0}}, {tensor})};
  cascade.stages[0].buckets = {2};
  CascadeInSlab bench(cascade);
  const std::unique_ptr<CudaExecutor> executor = MakePrepared(bench);
  if (HasFailure()) return;
  std::vector<std::byte> row(tensor.row_bytes());
  // Every byte 0 or 1 is a value of every datatype, BOOL included.
  for (size_t i = 0; i < row.size(); ++i) row[i] = static_cast<std::byte>(i % 3 == 0);
  bench.SetInput(2, 0, row);
  EXPECT_TRUE(RunOnce(*executor, 0, {1, 2}).status.ok());
  EXPECT_EQ(
      std::memcmp(bench.slab().At(2, bench.Stages()[0].outputs[0].offset), row.data(), row.size()),
      0);
}

INSTANTIATE_TEST_SUITE_P(All, CudaDatatype,
                         testing::Values(Datatype::kBool, Datatype::kUint8, Datatype::kInt8,
                                         Datatype::kInt16, Datatype::kInt32, Datatype::kInt64,
                                         Datatype::kUint16, Datatype::kUint32, Datatype::kUint64,
                                         Datatype::kFp16, Datatype::kFp32, Datatype::kFp64,
                                         Datatype::kBf16),
                         [](const auto& info) { return std::string(Name(info.param)); });

}  // namespace
}  // namespace escan
