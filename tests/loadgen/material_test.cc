#include "loadgen/material.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "arrays/zip_files.h"
#include "support/temporary_folder.h"

namespace escan::loadgen {
namespace {

const ModelInfo kModel{
    .name = "text",
    .inputs = {{.name = "difficulty", .datatype = Datatype::kFp32, .shape = {1}},
               {.name = "tokens", .datatype = Datatype::kInt32, .shape = {8}},
               {.name = "weights", .datatype = Datatype::kFp32, .shape = {2}}},
    .outputs = {{.name = "probabilities", .datatype = Datatype::kFp32, .shape = {4}}}};

SampleOptions WithRatios(std::vector<double> ratios) {
  SampleOptions options;
  options.exits.ratios = std::move(ratios);
  return options;
}

std::string Mistake(const SampleOptions& options) {
  const absl::StatusOr<Material> material = PrepareMaterial(kModel, options);
  EXPECT_EQ(material.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(material.status().message());
}

TEST(Material, WithoutExitRatiosEveryInputIsASample) {
  const absl::StatusOr<Material> material = PrepareMaterial(kModel, {});
  ASSERT_TRUE(material.ok()) << material.status();
  EXPECT_EQ(material->samples.input_count(), 3);
  EXPECT_FALSE(material->exit_control().has_value());
}

TEST(Material, WithExitRatiosOneInputFollowsFromThem) {
  SampleOptions options = WithRatios({1});
  options.ranges = {{.input = "tokens", .range = {.min = 5, .max = 6}}};
  options.rows_per_request = 3;
  const absl::StatusOr<Material> material = PrepareMaterial(kModel, options);
  ASSERT_TRUE(material.ok()) << material.status();
  ASSERT_EQ(material->samples.input_count(), 2);
  EXPECT_EQ(material->samples.Rows(0, 0, 1).size(), 32u);
  EXPECT_EQ(material->exits.segments().size(), 1u);
  const std::optional<ExitControl> control = material->exit_control();
  ASSERT_TRUE(control.has_value());
  EXPECT_EQ(control->input, 0);
  EXPECT_EQ(control->difficulties->Rows(0, 0, 3).size(), 12u);
}

TEST(Material, ReadsTheDriftFile) {
  const TemporaryFolder folder;
  SampleOptions options;
  options.exits.drift = folder.Write("drift.csv", "seconds,exit_1\n0,0\n5,1\n");
  const absl::StatusOr<Material> material = PrepareMaterial(kModel, options);
  ASSERT_TRUE(material.ok()) << material.status();
  EXPECT_EQ(material->exits.segments().size(), 2u);
  float difficulty;
  std::memcpy(&difficulty, material->exit_control()->difficulties->Rows(1, 0, 1).data(), 4);
  EXPECT_EQ(difficulty, 0.5f);

  options.exits.drift = folder.Write("drift.csv", "seconds,exit_1\n0,7\n");
  EXPECT_EQ(Mistake(options), options.exits.drift.native() +
                                  ":2: exit ratio of stage 1: '7' is not a number in [0, 1]");
}

TEST(Material, RefusesAnInputThatCannotControlExits) {
  SampleOptions options = WithRatios({0.5});
  options.exits.input = "hardness";
  EXPECT_EQ(Mistake(options),
            "--difficulty-input: the model has no input 'hardness'; its inputs are difficulty, "
            "tokens, weights");
  options.exits.input = "tokens";
  EXPECT_EQ(Mistake(options),
            "--difficulty-input: 'tokens' is INT32 [N,8], expected FP32 with one element a row");
  options.exits.input = "weights";
  EXPECT_EQ(Mistake(options),
            "--difficulty-input: 'weights' is FP32 [N,2], expected FP32 with one element a row");
}

TEST(Material, RefusesAFileForTheInputThatFollowsFromTheRatios) {
  SampleOptions options = WithRatios({0.5});
  options.files = {{.input = "difficulty", .file = "d.npy"}};
  EXPECT_EQ(Mistake(options), "d.npy: input 'difficulty' follows from the exit ratios");
}

TEST(Material, RepeatsSamplesAndLabelsToFillARequest) {
  const ModelInfo model{.inputs = {{.name = "x", .datatype = Datatype::kUint8, .shape = {1}}},
                        .outputs = kModel.outputs};
  const TemporaryFolder folder;
  SampleOptions options;
  options.files = {{.input = "", .file = folder.Write("x.npy", Npy("|u1", "(3, 1)", "abc"))}};
  options.labels = folder.Write("y.npy", Npy("|u1", "(3,)", std::string("\0\1\2", 3)));
  options.expect.file = folder.Write(
      "z.npz",
      Zip({{"probabilities.npy", Npy("<f4", "(3, 4)", std::string(3 * 4 * sizeof(float), '\0'))}}));
  options.rows_per_request = 5;
  const absl::StatusOr<Material> material = PrepareMaterial(model, options);
  ASSERT_TRUE(material.ok()) << material.status();
  EXPECT_EQ(material->samples.Rows(0, 0, 5), "abcab");
  EXPECT_EQ(material->labels, (std::vector<int64_t>{0, 1, 2, 0, 1}));
  EXPECT_EQ(material->answers->samples(), 3);
}

TEST(Material, RefusesRightAnswersToOtherSamples) {
  const TemporaryFolder folder;
  SampleOptions options;
  options.expect.file = folder.Write(
      "z.npz", Zip({{"probabilities.npy", Npy("<f4", "(1, 4)", std::string(16, '\0'))}}));
  EXPECT_EQ(Mistake(options),
            options.expect.file.native() +
                ": 'probabilities' holds FP32 [1,4], expected FP32 [1024,4] or [stages,1024,4]");
}

TEST(Material, RandomSamplesThatAreToBeAskedForAreFew) {
  SampleOptions options;
  options.expect.ask = true;
  EXPECT_EQ(PrepareMaterial(kModel, options)->samples.rows(), 64);
  options.rows_per_request = 33;
  EXPECT_EQ(PrepareMaterial(kModel, options)->samples.rows(), 33);
  options.rows_per_request = 100;
  EXPECT_EQ(PrepareMaterial(kModel, options)->samples.rows(), 100);
}

TEST(Material, RefusesRangesThatDoNotFit) {
  SampleOptions options;
  options.ranges = {{.input = "words", .range = {.min = 0, .max = 1}}};
  EXPECT_EQ(Mistake(options),
            "--input-range: the model has no input 'words'; its inputs are difficulty, tokens, "
            "weights");
  options.ranges[0].input = "weights";
  EXPECT_EQ(Mistake(options), "--input-range: 'weights' is FP32, expected an integer datatype");
  options.ranges[0] = {.input = "tokens", .range = {.min = 0, .max = int64_t{1} << 31}};
  EXPECT_EQ(Mistake(options),
            "--input-range: 0:2147483648 is not within -2147483648:2147483647, the values of INT32 "
            "input 'tokens'");
}

}  // namespace
}  // namespace escan::loadgen
