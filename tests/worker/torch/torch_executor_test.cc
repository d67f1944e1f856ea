#include "worker/torch/torch_executor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "contracts/content_hash.h"
#include "ipc/unique_fd.h"
#include "worker/loop/cascade_in_slab.h"
#include "worker/torch/test_models.h"
#include "worker/torch/torch_fixture.h"

namespace escan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

struct Answer {
  std::vector<RowResult> results;
  std::string failure;
};

Answer RunBatch(TorchExecutor& executor, int stage, const std::vector<SlotId>& slots,
                BatchPurpose purpose = BatchPurpose::kServe) {
  Answer answer{.results = std::vector<RowResult>(slots.size())};
  EXPECT_TRUE(executor.Start({.stage = stage, .slots = slots, .purpose = purpose}).ok());
  EXPECT_TRUE(executor.Finish(answer.results, &answer.failure).ok());
  return answer;
}

std::vector<float> Softmax(const std::vector<float>& logits) {
  std::vector<float> p;
  for (const float logit : logits) p.push_back(std::exp(logit));
  const float sum = std::accumulate(p.begin(), p.end(), 0.0f);
  for (float& x : p) x /= sum;
  return p;
}

void ExpectNear(const std::vector<float>& found, const std::vector<float>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-5f);
}

TEST_F(TorchExecutorTest, ComputesEveryNumberOfRowsUpToTheLargestBucket) {
  CascadeInSlab bench(ScalarCascade(Save("def forward(self, x): return x * self.w + self.b",
                                         {{"w", {}, {3}}, {"b", {}, {0.5f}}})));
  TorchExecutor executor = MakeTorchExecutor(bench);
  ASSERT_TRUE(Prepare(executor).ok());
  for (size_t rows = 1; rows <= 8; ++rows) {
    std::vector<SlotId> slots(rows);
    for (size_t row = 0; row < rows; ++row) {
      slots[row] = static_cast<SlotId>(40 - 3 * row);
      bench.SetInput<float>(slots[row], 0, {static_cast<float>(rows * 100 + row)});
    }
    bench.SetOutput<float>(1, 0, 0, {-1});
    const Answer answer = RunBatch(executor, 0, slots);
    EXPECT_EQ(answer.failure, "");
    for (size_t row = 0; row < rows; ++row) {
      EXPECT_EQ(bench.Output<float>(slots[row], 0, 0)[0],
                static_cast<float>(rows * 100 + row) * 3 + 0.5f);
      EXPECT_TRUE(std::isnan(answer.results[row].score));
      EXPECT_FALSE(answer.results[row].failed);
    }
    EXPECT_EQ(bench.Output<float>(1, 0, 0)[0], -1) << "a slot outside the batch was written";
  }
}

TEST_F(TorchExecutorTest, ComparesWithWhatWasAnsweredAndWritesNothing) {
  CascadeInSlab bench(ScalarCascade(Save("def forward(self, x): return x + 1")));
  TorchExecutor executor = MakeTorchExecutor(bench);
  ASSERT_TRUE(Prepare(executor).ok());
  for (const SlotId slot : {2u, 5u, 7u}) {
    bench.SetInput<float>(slot, 0, {static_cast<float>(slot)});
    bench.SetOutput<float>(slot, 0, 0, {static_cast<float>(slot) + 1});
  }
  Answer answer = RunBatch(executor, 0, {2, 5, 7}, BatchPurpose::kCompare);
  EXPECT_EQ(answer.failure, "");
  for (const RowResult& result : answer.results) EXPECT_FALSE(result.differs);

  bench.SetOutput<float>(5, 0, 0, {9});
  answer = RunBatch(executor, 0, {2, 5, 7}, BatchPurpose::kCompare);
  EXPECT_EQ(answer.failure, "row 1: 'y' is 6 where 9 is right");
  EXPECT_FALSE(answer.results[0].differs);
  EXPECT_TRUE(answer.results[1].differs);
  EXPECT_FALSE(answer.results[2].differs);
  EXPECT_EQ(bench.Output<float>(5, 0, 0)[0], 9);
}

TEST_F(TorchExecutorTest, CountsAStepForEachBucketOfEachStage) {
  const Path model = Save("def forward(self, x): return x + 1");
  CascadeSpec cascade = ScalarCascade(model);
  cascade.stages.push_back(
      TorchStage("last", model, {{.tensor = 0}}, {{.name = "y", .shape = {}}}));
  cascade.stages.back().buckets = {2};
  const CascadeInSlab bench(cascade);
  std::vector<std::string> loaded;
  TorchExecutor executor(bench.Stages(), bench.slab(), /*probes=*/nullptr, NoChoices(),
                         [&](const WorkerStage& stage, const std::string& variant) {
                           EXPECT_TRUE(variant == "frozen" || variant == "optimized") << variant;
                           loaded.push_back(stage.name);
                         });
  std::vector<std::pair<int, int>> steps;
  ASSERT_TRUE(executor.Prepare([&](int done, int total) { steps.emplace_back(done, total); }).ok());
  EXPECT_THAT(steps, ElementsAre(Pair(0, 4), Pair(1, 4), Pair(2, 4), Pair(3, 4), Pair(4, 4)));
  EXPECT_THAT(loaded, ElementsAre("only", "last"));
}

// Prepares the first stage and returns which variant was kept.
std::string KeptVariant(const CascadeInSlab& bench, const WorkerStage& stage,
                        const VariantChoices& choices) {
  std::string kept;
  TorchExecutor executor({stage}, bench.slab(), /*probes=*/nullptr, choices,
                         [&kept](const WorkerStage&, const std::string& name) { kept = name; });
  EXPECT_TRUE(Prepare(executor).ok());
  return kept;
}

TEST_F(TorchExecutorTest, RunsTheVariantThatWasChosenBefore) {
  const Path model = Save("def forward(self, x): return x + 1");
  const CascadeInSlab bench(ScalarCascade(model));
  WorkerStage stage = bench.Stages().front();
  const UniqueFd file(::open(model.c_str(), O_RDONLY | O_CLOEXEC));
  stage.model_digest = HashName(*ContentHashOfFile(file.get()));
  for (const std::string name : {"frozen", "optimized"}) {
    const VariantChoices choices(CacheFolder(folder_ / name), 2, "torch");
    ASSERT_TRUE(choices.Store(stage, name).ok());
    EXPECT_EQ(KeptVariant(bench, stage, choices), name);
  }
  const VariantChoices choices(CacheFolder(folder_ / "empty"), 2, "torch");
  const std::string found = KeptVariant(bench, stage, choices);
  EXPECT_EQ(choices.Find(stage), found);
  EXPECT_EQ(VariantChoices(CacheFolder(folder_ / "empty"), 3, "torch").Find(stage), std::nullopt)
      << "with another number of threads another may be the fastest";
  ASSERT_TRUE(choices.Store(stage, "no such variant").ok());
  EXPECT_THAT(KeptVariant(bench, stage, choices), testing::AnyOf("frozen", "optimized"));
}

TEST_F(TorchExecutorTest, FinishesBatchesInTheOrderOfTheirStarts) {
  CascadeInSlab bench(ScalarCascade(Save("def forward(self, x): return x + 1")));
  TorchExecutor executor = MakeTorchExecutor(bench);
  ASSERT_TRUE(Prepare(executor).ok());
  bench.SetInput<float>(1, 0, {10});
  bench.SetInput<float>(2, 0, {20});
  const std::vector<SlotId> first = {1};
  const std::vector<SlotId> second = {2};
  ASSERT_TRUE(executor.Start({.stage = 0, .slots = first}).ok());
  ASSERT_TRUE(executor.Start({.stage = 0, .slots = second}).ok());
  std::vector<RowResult> results(1);
  std::string failure;
  ASSERT_TRUE(executor.Finish(results, &failure).ok());
  EXPECT_EQ(bench.Output<float>(1, 0, 0)[0], 11);
  EXPECT_EQ(bench.Output<float>(2, 0, 0)[0], 0);
  ASSERT_TRUE(executor.Finish(results, &failure).ok());
  EXPECT_EQ(bench.Output<float>(2, 0, 0)[0], 21);
}

TEST_F(TorchExecutorTest, GivesTwoInputsInTheirOrder) {
  CascadeSpec cascade;
  cascade.inputs = {{.name = "a", .shape = {2}},
                    {.name = "b", .datatype = Datatype::kInt32, .shape = {}}};
  cascade.stages = {TorchStage("only", Save("def forward(self, b, a): return a - b.unsqueeze(1)"),
                               {{.tensor = 1}, {.tensor = 0}}, {{.name = "y", .shape = {2}}})};
  CascadeInSlab bench(cascade);
  TorchExecutor executor = MakeTorchExecutor(bench);
  ASSERT_TRUE(Prepare(executor).ok());
  bench.SetInput<float>(3, 0, {10, 20});
  bench.SetInput<int32_t>(3, 1, {4});
  RunBatch(executor, 0, {3});
  EXPECT_EQ(bench.Output<float>(3, 0, 0), (std::vector<float>{6, 16}));
}

TEST_F(TorchExecutorTest, CopiesOutputsThatAreNotContiguous) {
  CascadeSpec cascade;
  cascade.inputs = {{.name = "x", .shape = {2, 3}}};
  cascade.stages = {TorchStage("only", Save("def forward(self, x): return x.transpose(1, 2)"),
                               {{.tensor = 0}}, {{.name = "y", .shape = {3, 2}}})};
  CascadeInSlab bench(cascade);
  TorchExecutor executor = MakeTorchExecutor(bench);
  ASSERT_TRUE(Prepare(executor).ok());
  bench.SetInput<float>(1, 0, {1, 2, 3, 4, 5, 6});
  RunBatch(executor, 0, {0, 1});
  EXPECT_EQ(bench.Output<float>(1, 0, 0), (std::vector<float>{1, 4, 2, 5, 3, 6}));
}

// What torch keeps beside a tensor's memory.
TEST_F(TorchExecutorTest, CopiesTheValuesOfOutputsThatAreViews) {
  struct View {
    std::string source;
    std::vector<float> expected;  // of [1, 2]
  };
  const std::vector<View> views = {
      {"torch._neg_view(x.clone())", {-1, -2}},
      {"torch._neg_view(torch._neg_view(x.clone()))", {1, 2}},
      {"torch._neg_view(x.clone()).flip([1])", {-2, -1}},
      {"torch.view_as_real(torch.complex(x[:, 0], x[:, 1]).conj().resolve_conj())", {1, -2}},
      {"torch.complex(x, x).conj().imag", {-1, -2}},
      {"torch.complex(x, x).conj().real", {1, 2}},
      {"torch._efficientzerotensor([x.size(0), 2])", {0, 0}},
      {"x[:, :1].expand(-1, 2)", {1, 1}}};
  for (const View& view : views) {
    CascadeSpec cascade;
    cascade.inputs = {{.name = "x", .shape = {2}}};
    cascade.stages = {TorchStage("only", Save("def forward(self, x): return " + view.source),
                                 {{.tensor = 0}}, {{.name = "y", .shape = {2}}})};
    CascadeInSlab bench(cascade);
    TorchExecutor executor = MakeTorchExecutor(bench);
    const absl::Status prepared = Prepare(executor);
    ASSERT_TRUE(prepared.ok()) << view.source << ": " << prepared;
    for (const std::vector<SlotId>& slots : {std::vector<SlotId>{5}, std::vector<SlotId>{1, 2}}) {
      for (const SlotId slot : slots) bench.SetInput<float>(slot, 0, {1, 2});
      RunBatch(executor, 0, slots);
      for (const SlotId slot : slots) {
        EXPECT_EQ(bench.Output<float>(slot, 0, 0), view.expected) << view.source;
      }
    }
  }
}

// The imaginary part of a single row is contiguous where it lies, that of two is not.
TEST_F(TorchExecutorTest, CopiesANegatedColumnOfAnyNumberOfRows) {
  CascadeSpec cascade;
  cascade.inputs = {{.name = "x", .shape = {2}}};
  cascade.stages = {TorchStage(
      "only", Save("def forward(self, x): return torch.complex(x[:, :1], x[:, 1:]).conj().imag"),
      {{.tensor = 0}}, {{.name = "y", .shape = {1}}})};
  CascadeInSlab bench(cascade);
  TorchExecutor executor = MakeTorchExecutor(bench);
  ASSERT_TRUE(Prepare(executor).ok());
  for (const std::vector<SlotId>& slots : {std::vector<SlotId>{5}, std::vector<SlotId>{1, 2}}) {
    for (const SlotId slot : slots) bench.SetInput<float>(slot, 0, {1, 2});
    RunBatch(executor, 0, slots);
    for (const SlotId slot : slots) EXPECT_EQ(bench.Output<float>(slot, 0, 0)[0], -2);
  }
}

TEST_F(TorchExecutorTest, AModelMayChangeItsInputsInPlace) {
  CascadeInSlab bench(ScalarCascade(Save("def forward(self, x): return x.add_(1)")));
  TorchExecutor executor = MakeTorchExecutor(bench);
  ASSERT_TRUE(Prepare(executor).ok());
  bench.SetInput<float>(1, 0, {5});
  for (int i = 0; i < 2; ++i) {
    RunBatch(executor, 0, {1});
    EXPECT_EQ(bench.Output<float>(1, 0, 0)[0], 6);
  }
}

class SharedBackbone : public TorchExecutorTest {
 protected:
  SharedBackbone() {
    SaveTestModels(folder_);
    cascade_ = ImageCascade(folder_ / "backbone_small.pt");
    StageSpec& small = cascade_.stages[0];
    small.outputs.push_back({.name = "features", .shape = {8}});
    small.exit = {.score = ExitScore::kMaxProbability, .threshold = 0.9f};
    cascade_.stages.push_back(TorchStage("large", folder_ / "backbone_large.pt",
                                         {{.stage = 0, .tensor = 1}},
                                         {{.name = "probabilities", .shape = {3}}}));
  }

  CascadeSpec cascade_;
};

TEST_F(SharedBackbone, ALaterStageReadsWhatAnEarlierOneReturned) {
  CascadeInSlab bench(cascade_);
  TorchExecutor executor = MakeTorchExecutor(bench);
  ASSERT_TRUE(Prepare(executor).ok());
  bench.SetInput<uint8_t>(7, 0, {255, 0, 51, 102});
  bench.SetInput<uint8_t>(9, 0, {0, 0, 0, 255});
  const Answer small = RunBatch(executor, 0, {7, 9});
  const std::vector<float> p = Softmax({8, 0, 1.6f});
  ExpectNear(bench.Output<float>(7, 0, 0), p);
  ExpectNear(bench.Output<float>(7, 0, 1), {1, 0, 0.2f, 0.4f, 0.5f, 0, 0.1f, 0.2f});
  EXPECT_NEAR(small.results[0].score, p[0], 1e-5f);
  EXPECT_NEAR(small.results[1].score, 1.0f / 3, 1e-5f);

  RunBatch(executor, 1, {9, 7});
  ExpectNear(bench.Output<float>(7, 1, 0), {p[2], p[1], p[0]});
  ExpectNear(bench.Output<float>(9, 1, 0), Softmax({0, 0, 0}));
}

TEST_F(SharedBackbone, ScoresWhatTheModelOutputs) {
  CascadeSpec cascade = ImageCascade(folder_ / "scored.pt");
  cascade.stages[0].outputs.push_back({.name = "score", .shape = {1}});
  cascade.stages[0].exit = {.score = ExitScore::kOutput, .output = 1, .threshold = 0.5f};
  CascadeInSlab bench(cascade);
  TorchExecutor executor = MakeTorchExecutor(bench);
  ASSERT_TRUE(Prepare(executor).ok());
  bench.SetInput<uint8_t>(1, 0, {9, 9, 9, 51});
  bench.SetInput<uint8_t>(2, 0, {9, 9, 9, 255});
  const Answer answer = RunBatch(executor, 0, {1, 2});
  EXPECT_NEAR(answer.results[0].score, 0.2f, 1e-6f);
  EXPECT_NEAR(answer.results[1].score, 1.0f, 1e-6f);
}

TEST_F(SharedBackbone, ARowThatTheModelThrowsOnFailsAlone) {
  CascadeInSlab bench(ImageCascade(folder_ / "thrower.pt"));
  TorchExecutor executor = MakeTorchExecutor(bench);
  ASSERT_TRUE(Prepare(executor).ok());
  std::vector<SlotId> slots(8);
  std::iota(slots.begin(), slots.end(), 10);
  for (const SlotId slot : slots) bench.SetInput<uint8_t>(slot, 0, {51, 0, 0, 0});
  bench.SetInput<uint8_t>(15, 0, {0, 255, 0, 0});
  const Answer answer = RunBatch(executor, 0, slots);
  EXPECT_EQ(answer.failure, "AssertionError: 255 is not allowed");
  for (size_t row = 0; row < slots.size(); ++row) {
    EXPECT_EQ(answer.results[row].failed, slots[row] == 15) << row;
    if (slots[row] != 15) ExpectNear(bench.Output<float>(slots[row], 0, 0), Softmax({1.6f, 0, 0}));
  }
}

TEST_F(SharedBackbone, ASlowModelAnswersLikeTheOthers) {
  CascadeInSlab bench(ImageCascade(folder_ / "slow.pt"));
  TorchExecutor executor = MakeTorchExecutor(bench);
  ASSERT_TRUE(Prepare(executor).ok());
  bench.SetInput<uint8_t>(1, 0, {255, 0, 51, 2});
  RunBatch(executor, 0, {1});
  ExpectNear(bench.Output<float>(1, 0, 0), Softmax({8, 0, 1.6f}));
}

TEST_F(SharedBackbone, AnAborterTakesItsProcessDownOn254Alone) {
  CascadeInSlab bench(ImageCascade(folder_ / "aborter.pt"));
  TorchExecutor executor = MakeTorchExecutor(bench);
  ASSERT_TRUE(Prepare(executor).ok());
  bench.SetInput<uint8_t>(1, 0, {255, 0, 51, 253});
  EXPECT_EQ(RunBatch(executor, 0, {1}).failure, "");
  ExpectNear(bench.Output<float>(1, 0, 0), Softmax({8, 0, 1.6f}));
  bench.SetInput<uint8_t>(2, 0, {0, 254, 0, 0});
  // libtorch's threads would not survive a plain fork. The process that dies leaves no folder.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto run = [&] {
    std::filesystem::remove_all(folder_);
    RunBatch(executor, 0, {1, 2});
  };
  EXPECT_EXIT(run(), testing::KilledBySignal(SIGFPE), "");
}

TEST_F(TorchExecutorTest, ARowThatLibtorchItselfRefusesFailsAlone) {
  CascadeSpec cascade =
      ScalarCascade(Save("def forward(self, i): return torch.index_select(self.table, 0, i)",
                         {{"table", {3}, {10, 11, 12}}}));
  cascade.inputs[0].datatype = Datatype::kInt64;
  CascadeInSlab bench(cascade);
  TorchExecutor executor = MakeTorchExecutor(bench);
  ASSERT_TRUE(Prepare(executor).ok());
  bench.SetInput<int64_t>(1, 0, {2});
  bench.SetInput<int64_t>(2, 0, {3});
  bench.SetInput<int64_t>(3, 0, {1});
  const Answer answer = RunBatch(executor, 0, {1, 2, 3});
  EXPECT_EQ(bench.Output<float>(1, 0, 0)[0], 12);
  EXPECT_TRUE(answer.results[1].failed);
  EXPECT_EQ(bench.Output<float>(3, 0, 0)[0], 11);
  EXPECT_THAT(answer.failure, HasSubstr("index"));
  EXPECT_THAT(answer.failure, testing::Not(HasSubstr("\n")));
}

TEST_F(TorchExecutorTest, ARowForWhichTheModelReturnsAnotherShapeFails) {
  CascadeInSlab bench(ScalarCascade(Save(R"(
def forward(self, x):
    if bool((x > 100).any()):
        return x.unsqueeze(1)
    return x
)")));
  TorchExecutor executor = MakeTorchExecutor(bench);
  ASSERT_TRUE(Prepare(executor).ok());
  bench.SetInput<float>(1, 0, {1});
  bench.SetInput<float>(2, 0, {101});
  const Answer answer = RunBatch(executor, 0, {1, 2});
  EXPECT_FALSE(answer.results[0].failed);
  EXPECT_TRUE(answer.results[1].failed);
  EXPECT_EQ(answer.failure, "forward() returned for output 'y' FP32 [1,1], expected FP32 [1]");
}

TEST_F(TorchExecutorTest, AModelMayChangeItsParameters) {
  CascadeInSlab bench(ScalarCascade(Save(R"(
def forward(self, x):
    self.calls = self.calls + 1
    return x + 1
)",
                                         {{"calls", {}, {0}}})));
  TorchExecutor executor = MakeTorchExecutor(bench);
  ASSERT_TRUE(Prepare(executor).ok());
  bench.SetInput<float>(1, 0, {5});
  RunBatch(executor, 0, {1});
  EXPECT_EQ(bench.Output<float>(1, 0, 0)[0], 6);
}

class EachDatatype : public TorchExecutorTest, public testing::WithParamInterface<Datatype> {};

TEST_P(EachDatatype, TravelsThroughAModelUnchanged) {
  const TensorSpec tensor = {.name = "x", .datatype = GetParam(), .shape = {3}};
  CascadeSpec cascade;
  cascade.inputs = {tensor};
  cascade.stages = {TorchStage("only", Save("def forward(self, x): return x.clone()"),
                               {{.tensor = 0}}, {tensor})};
  CascadeInSlab bench(cascade);
  TorchExecutor executor = MakeTorchExecutor(bench);
  ASSERT_TRUE(Prepare(executor).ok());
  std::vector<std::byte> row(tensor.row_bytes());
  // Every byte 0 or 1 is a value of every datatype, BOOL included.
  for (size_t i = 0; i < row.size(); ++i) row[i] = static_cast<std::byte>(i % 3 == 0);
  bench.SetInput(2, 0, row);
  RunBatch(executor, 0, {1, 2});
  EXPECT_EQ(
      std::memcmp(bench.slab().At(2, bench.Stages()[0].outputs[0].offset), row.data(), row.size()),
      0);
}

INSTANTIATE_TEST_SUITE_P(All, EachDatatype,
                         testing::Values(Datatype::kBool, Datatype::kUint8, Datatype::kUint16,
                                         Datatype::kUint32, Datatype::kUint64, Datatype::kInt8,
                                         Datatype::kInt16, Datatype::kInt32, Datatype::kInt64,
                                         Datatype::kFp16, Datatype::kFp32, Datatype::kFp64,
                                         Datatype::kBf16),
                         [](const auto& info) { return std::string(Name(info.param)); });

}  // namespace
}  // namespace escan
