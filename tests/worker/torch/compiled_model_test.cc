#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "worker/files/compiled_package.h"
#include "worker/torch/compiled_cascades.h"
#include "worker/torch/compiled_function.h"
#include "worker/torch/reference_model.h"
#include "worker/verification/probes.h"

// Packages of AOTInductor on the CPU, as make_packages.py compiled them.
namespace escan {
namespace {

using testing::AllOf;
using testing::Each;
using testing::Field;
using testing::HasSubstr;
using testing::SizeIs;

std::string Content(const Path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class CompiledModel : public TorchExecutorTest {
 protected:
  static void SetUpTestSuite() { HaveCompiledModelsCheckInputs(); }

  void SetUp() override {
    const char* const packages = ::getenv("ESCAN_TEST_PACKAGES");
    ASSERT_NE(packages, nullptr) << "names the folder of make_packages.py; ctest sets it";
    packages_ = packages;
  }

  static void FillTokens(CascadeInSlab& bench) {
    for (SlotId slot = 0; slot < CascadeInSlab::kSlots; ++slot) {
      const auto first = static_cast<uint8_t>(slot);
      bench.SetInput<uint8_t>(slot, 0, {first, 99, static_cast<uint8_t>(first / 2), 7});
    }
  }

  static std::vector<RowResult> Run(TorchExecutor& executor, const std::vector<SlotId>& slots,
                                    std::string* failure) {
    std::vector<RowResult> results(slots.size());
    EXPECT_TRUE(executor.Start({.stage = 0, .slots = slots}).ok());
    EXPECT_TRUE(executor.Finish(results, failure).ok());
    return results;
  }

  // Prepares with probes of the cascade's own; the checks, and what was said.
  absl::Status PrepareChecked(const Path& model, std::vector<BucketCheck>* checks) {
    CascadeInSlab bench(LookupCascade(model));
    FillTokens(bench);
    absl::StatusOr<Probes> probes = Probes::Copy(bench.slab(), bench.Spec().stride);
    absl::Status status =
        probes->Prepare(bench.Stages(), CacheFolder(""), "torch", ComputeReference);
    if (!status.ok()) return status;
    TorchExecutor executor(bench.Stages(), bench.slab(), &*probes, NoChoices(),
                           [](const WorkerStage&, const std::string&) {});
    status = Prepare(executor);
    *checks = executor.checks();
    return status;
  }

  static std::string ErrorOf(const CascadeSpec& cascade) {
    const CascadeInSlab bench(cascade);
    TorchExecutor executor = MakeTorchExecutor(bench);
    return std::string(Prepare(executor).message());
  }

  Path packages_;
};

TEST_F(CompiledModel, AnswersAsItsTorchScriptAtEveryNumberOfRows) {
  CascadeInSlab bench(LookupCascade(packages_ / "lookup.pt2"));
  CascadeInSlab right(LookupCascade(packages_ / "lookup.pt"));
  FillTokens(bench);
  FillTokens(right);
  TorchExecutor executor = MakeTorchExecutor(bench);
  TorchExecutor script = MakeTorchExecutor(right);
  const absl::Status status = Prepare(executor);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_TRUE(Prepare(script).ok());
  for (SlotId rows = 1; rows <= 8; ++rows) {
    std::vector<SlotId> slots;
    for (SlotId row = 0; row < rows; ++row) slots.push_back(5 * row + rows);
    std::string failure;
    const std::vector<RowResult> found = Run(executor, slots, &failure);
    EXPECT_EQ(failure, "");
    const std::vector<RowResult> expected = Run(script, slots, &failure);
    for (size_t row = 0; row < slots.size(); ++row) {
      EXPECT_NEAR(found[row].score, expected[row].score, 1e-5);
      for (const size_t output : {0, 1}) {
        const std::vector<float> values = bench.Output<float>(slots[row], 0, output);
        const std::vector<float> wanted = right.Output<float>(slots[row], 0, output);
        for (size_t k = 0; k < values.size(); ++k) EXPECT_NEAR(values[k], wanted[k], 1e-5);
      }
    }
  }
}

TEST_F(CompiledModel, FailsOnlyTheRowsThatItCannotCompute) {
  CascadeInSlab bench(LookupCascade(packages_ / "lookup.pt2"));
  FillTokens(bench);
  bench.SetInput<uint8_t>(3, 0, {1, 200, 1, 1});  // above 99
  TorchExecutor executor = MakeTorchExecutor(bench);
  ASSERT_TRUE(Prepare(executor).ok());
  std::string failure;
  const std::vector<RowResult> results = Run(executor, {1, 2, 3, 4, 5}, &failure);
  EXPECT_THAT(failure, HasSubstr("index out of bounds"));
  for (size_t row = 0; row < results.size(); ++row) EXPECT_EQ(results[row].failed, row == 2) << row;
  EXPECT_EQ(bench.Output<float>(5, 0, 1)[0], 5 + 99 + 2 + 7);
}

TEST_F(CompiledModel, IsComparedWithTheTorchScriptInIt) {
  std::vector<BucketCheck> checks;
  const absl::Status status = PrepareChecked(packages_ / "lookup.pt2", &checks);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(checks, SizeIs(3));
  EXPECT_THAT(checks, Each(Field(&BucketCheck::verdict, Verdict::kRight)));
  EXPECT_THAT(checks, Each(Field(&BucketCheck::way, "aot_inductor")));
}

TEST_F(CompiledModel, IsNeverReadyBesideTheTorchScriptOfAnotherModel) {
  std::vector<BucketCheck> checks;
  const absl::Status status = PrepareChecked(packages_ / "lying.pt2", &checks);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("answers wrongly: with 1 rows, row 0"));
  EXPECT_THAT(checks, Each(Field(&BucketCheck::verdict, Verdict::kWrong)));
}

TEST_F(CompiledModel, IsComparedWithItselfRowByRowWhereItHasNoTorchScript) {
  std::vector<BucketCheck> checks;
  const absl::Status status = PrepareChecked(packages_ / "bare.pt2", &checks);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(checks, Each(Field(&BucketCheck::verdict, Verdict::kRight)));
}

TEST_F(CompiledModel, NamesTheInputThatItWasNotCompiledFor) {
  CascadeSpec cascade = LookupCascade(packages_ / "lookup.pt2");
  cascade.inputs[0].datatype = Datatype::kInt32;
  EXPECT_THAT(ErrorOf(cascade), AllOf(HasSubstr("stage 'only'"), HasSubstr("unmatched dtype")));
  cascade = LookupCascade(packages_ / "lookup.pt2");
  cascade.inputs[0].shape = {5};
  EXPECT_THAT(ErrorOf(cascade), HasSubstr("unmatched dim value at 1, expected: 4, but got: 5"));
}

TEST_F(CompiledModel, SaysHowManyTensorsItTakes) {
  CascadeSpec cascade = LookupCascade(packages_ / "lookup.pt2");
  cascade.stages[0].inputs.push_back({.tensor = 0});
  EXPECT_THAT(ErrorOf(cascade), HasSubstr("forward() takes 1 tensors, the stage has 2 inputs"));
}

TEST_F(CompiledModel, SaysWhatItReturns) {
  CascadeSpec cascade = LookupCascade(packages_ / "lookup.pt2");
  cascade.stages[0].outputs.pop_back();
  EXPECT_THAT(ErrorOf(cascade), HasSubstr("returned 2 tensors, the stage has 1 outputs"));
}

TEST_F(CompiledModel, IsRefusedWhenDamaged) {
  std::string content = Content(packages_ / "lookup.pt2");
  content[content.size() / 2] ^= 1;
  std::ofstream(folder_ / "flipped.pt2", std::ios::binary) << content;
  EXPECT_THAT(ErrorOf(LookupCascade(folder_ / "flipped.pt2")), HasSubstr("is damaged"));
  std::ofstream(folder_ / "cut.pt2", std::ios::binary) << content.substr(0, content.size() / 2);
  EXPECT_THAT(ErrorOf(LookupCascade(folder_ / "cut.pt2")), HasSubstr("was cut short"));
}

TEST_F(CompiledModel, SaysForWhichDevicesThereIsOne) {
  const std::string content = Content(packages_ / "lookup.pt2");
  EXPECT_EQ(CompiledPackage::Open(content)->ModelFor("cuda").status().message(),
            "the package was compiled for cpu, expected a model for cuda in it");
}

TEST_F(CompiledModel, LeavesNoFilesAndRemovesThoseOfProcessesThatDied) {
  const std::string content = Content(packages_ / "lookup.pt2");
  const Path orphan = std::filesystem::temp_directory_path() / "escan-model-orphan";
  std::filesystem::create_directory(orphan);
  std::ofstream(orphan / ".lock") << "";
  const absl::StatusOr<CompiledPackage> package = CompiledPackage::Open(content);
  Path folder;
  {
    const auto model = package->ModelFor("cpu");
    const absl::StatusOr<UnpackedModel> first = package->Unpack(*model);
    const absl::StatusOr<UnpackedModel> second = package->Unpack(*model);
    ASSERT_TRUE(second.ok()) << second.status();
    folder = first->folder();
    EXPECT_TRUE(std::filesystem::exists(first->library())) << "it is in use";
    EXPECT_FALSE(std::filesystem::exists(orphan));
  }
  EXPECT_FALSE(std::filesystem::exists(folder));
}

}  // namespace
}  // namespace escan
