// What the worker on the CPU finds out about a model before it serves it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "worker/torch/reference_model.h"
#include "worker/torch/torch_executor.h"
#include "worker/torch/torch_fixture.h"
#include "worker/verification/probes.h"

namespace escan {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::Each;
using testing::Field;
using testing::HasSubstr;
using testing::SizeIs;

// x FP32 [N,4] to y FP32 [N,2].
CascadeSpec PairCascade(const Path& model) {
  CascadeSpec cascade;
  cascade.inputs = {{.name = "x", .shape = {4}}};
  cascade.stages = {TorchStage("only", model, {{.tensor = 0}}, {{.name = "y", .shape = {2}}})};
  return cascade;
}

class VerificationTest : public TorchExecutorTest {
 protected:
  // A slab whose rows are random.
  static Slab Given(const CascadeInSlab& bench) {
    Slab slab = Slab::Create({.slots = 3, .stride = bench.Spec().stride}).value();
    std::mt19937 random(1);
    for (SlotId slot = 0; slot < slab.slots(); ++slot) {
      auto* row = reinterpret_cast<float*>(slab.At(slot, bench.Stages()[0].inputs[0].offset));
      for (int i = 0; i < 4; ++i) row[i] = static_cast<float>(random() % 1000) / 1000;
    }
    return slab;
  }

  Probes Prepare(const CascadeInSlab& bench, const Probes::Compute& compute = ComputeReference) {
    absl::StatusOr<Probes> probes = Probes::Copy(Given(bench), bench.Spec().stride);
    const absl::Status status =
        probes->Prepare(bench.Stages(), CacheFolder(folder_ / "cache"), "torch", compute);
    EXPECT_TRUE(status.ok()) << status;
    return *std::move(probes);
  }

  std::string RemarkOn(const std::string& source) {
    const CascadeInSlab bench(PairCascade(Save(source)));
    const Probes probes = Prepare(bench);
    EXPECT_EQ(probes.comparable(0), probes.remark(0).empty()) << probes.remark(0);
    return probes.remark(0);
  }
};

TEST_F(VerificationTest, ComputesWhatIsRightRowByRow) {
  const CascadeInSlab bench(PairCascade(
      Save("def forward(self, x): return torch.softmax(x[:, :2] * self.w, 1)", {{"w", {}, {3}}})));
  const Probes probes = Prepare(bench);
  EXPECT_EQ(probes.remark(0), "");
  for (SlotId slot = 0; slot < probes.slab().slots(); ++slot) {
    const auto* x =
        reinterpret_cast<const float*>(probes.slab().At(slot, bench.Stages()[0].inputs[0].offset));
    const auto* y =
        reinterpret_cast<const float*>(probes.slab().At(slot, bench.Stages()[0].outputs[0].offset));
    EXPECT_NEAR(y[0], 1 / (1 + std::exp(3 * (x[1] - x[0]))), 1e-6);
  }
}

TEST_F(VerificationTest, SaysThatRowsDependOnEachOther) {
  EXPECT_THAT(RemarkOn("def forward(self, x): return torch.softmax((x - x.mean(0, "
                       "keepdim=True))[:, :2] * 9, 1)"),
              AllOf(HasSubstr("its rows depend on each other"), HasSubstr("'y'")));
  EXPECT_THAT(RemarkOn("def forward(self, x): return x[0:1, :2].expand(x.size(0), 2)"),
              HasSubstr("its rows depend on each other"));
}

TEST_F(VerificationTest, SaysThatAModelKeepsState) {
  const std::string remark = [&] {
    const CascadeInSlab bench(
        PairCascade(Save("def forward(self, x):\n  self.n.add_(1)\n  return x[:, :2] * 0 + self.n",
                         {{"n", {}, {0}}})));
    return Prepare(bench).remark(0);
  }();
  EXPECT_THAT(remark, HasSubstr("it keeps state between calls"));
}

TEST_F(VerificationTest, SaysThatAnswersAreRandom) {
  EXPECT_THAT(RemarkOn("def forward(self, x): return torch.dropout(x[:, :2] + 1, 0.5, True)"),
              HasSubstr("its answers are random"));
}

TEST_F(VerificationTest, ChecksAModelThatFailsOnRandomRowsWithZeros) {
  const CascadeInSlab bench(
      PairCascade(Save("def forward(self, x):\n  assert not bool((x > 0).any()), 'too large'\n"
                       "  return x[:, :2] + 1")));
  const Probes probes = Prepare(bench);
  EXPECT_TRUE(probes.comparable(0));
  EXPECT_THAT(probes.remark(0), AllOf(HasSubstr("fails on random rows"), HasSubstr("too large")));
  TorchExecutor executor(bench.Stages(), bench.slab(), &probes, NoChoices(),
                         [](const WorkerStage&, const std::string&) {});
  EXPECT_TRUE(escan::Prepare(executor).ok());
}

TEST_F(VerificationTest, NamesTheModelThatWorksForNoRow) {
  const CascadeInSlab bench(PairCascade(Save("def forward(self, x): return x[:, :3]")));
  absl::StatusOr<Probes> probes = Probes::Copy(Given(bench), bench.Spec().stride);
  const absl::Status status =
      probes->Prepare(bench.Stages(), CacheFolder(""), "torch", ComputeReference);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("stage 'only'"),
                    HasSubstr("returned for output 'y' FP32 [1,3], expected FP32 [1,2]")));
}

TEST_F(VerificationTest, AnExecutorTellsThatEveryBucketIsRight) {
  const CascadeInSlab bench(PairCascade(
      Save("def forward(self, x): return torch.relu(x[:, :2] - self.w)", {{"w", {}, {0.5f}}})));
  const Probes probes = Prepare(bench);
  TorchExecutor executor(bench.Stages(), bench.slab(), &probes, NoChoices(),
                         [](const WorkerStage&, const std::string&) {});
  ASSERT_TRUE(escan::Prepare(executor).ok());
  EXPECT_THAT(executor.checks(), SizeIs(3));
  EXPECT_THAT(executor.checks(), Each(Field(&BucketCheck::verdict, Verdict::kRight)));
  EXPECT_THAT(executor.checks().front().way, AnyOf("frozen", "optimized"));
  EXPECT_EQ(executor.checks().back().rows, 8);
}

TEST_F(VerificationTest, AnExecutorThatAnswersOtherwiseIsNeverReady) {
  const CascadeInSlab bench(PairCascade(Save("def forward(self, x): return x[:, :2] + 1")));
  const Probes probes = Prepare(bench, [](const WorkerStage& stage, const Probes& given) {
    absl::StatusOr<Reference> reference = ComputeReference(stage, given);
    auto* right = reinterpret_cast<float*>(reference->outputs.data());
    right[5] += 0.1f;  // row 2, element 1
    return reference;
  });
  TorchExecutor executor(bench.Stages(), bench.slab(), &probes, NoChoices(),
                         [](const WorkerStage&, const std::string&) {});
  const absl::Status status = escan::Prepare(executor);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("stage 'only'"),
                    HasSubstr("answers wrongly: with 4 rows, row 2: 'y'[1] is ")));
  EXPECT_THAT(executor.checks(), Each(Field(&BucketCheck::verdict, Verdict::kWrong)));
}

TEST_F(VerificationTest, WarnsOfAScoreThatIsNoneOfProbabilities) {
  for (const auto& [source, reason] : std::vector<std::pair<std::string, std::string>>{
           {"def forward(self, x): return x[:, :2] - 9", "sums to "},
           {"def forward(self, x): return torch.relu(x[:, :2]) + 3", "not 1: no softmax?"},
           {"def forward(self, x): return torch.softmax(x[:, :2], 1)", ""}}) {
    CascadeSpec cascade = PairCascade(Save(source));
    cascade.stages[0].exit = {.score = ExitScore::kMaxProbability, .threshold = 0.5f};
    const CascadeInSlab bench(cascade);
    const Probes probes = Prepare(bench);
    TorchExecutor executor(bench.Stages(), bench.slab(), &probes, NoChoices(),
                           [](const WorkerStage&, const std::string&) {});
    ASSERT_TRUE(escan::Prepare(executor).ok());
    const std::string& message = executor.checks().front().message;
    EXPECT_THAT(message, HasSubstr(reason)) << source;
    EXPECT_EQ(message.empty(), reason.empty()) << message;
  }
}

TEST_F(VerificationTest, AStageThatCannotBeComparedIsServedAndCalledUnknown) {
  const CascadeInSlab bench(
      PairCascade(Save("def forward(self, x): return torch.rand([x.size(0), 2])")));
  const Probes probes = Prepare(bench);
  TorchExecutor executor(bench.Stages(), bench.slab(), &probes, NoChoices(),
                         [](const WorkerStage&, const std::string&) {});
  ASSERT_TRUE(escan::Prepare(executor).ok());
  EXPECT_THAT(executor.checks(), Each(AllOf(Field(&BucketCheck::verdict, Verdict::kUnknown),
                                            Field(&BucketCheck::message, HasSubstr("random")))));
}

}  // namespace
}  // namespace escan
