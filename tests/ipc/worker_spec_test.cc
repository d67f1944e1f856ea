#include "ipc/worker_spec.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <nlohmann/json.hpp>
#include <string>

namespace escan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TensorSpec Tensor(std::string name, Datatype datatype, std::vector<int64_t> shape) {
  return {.name = std::move(name), .datatype = datatype, .shape = std::move(shape), .range = {}};
}

// A backbone, and a head that reads the backbone's output and the request.
CascadeSpec TwoStages() {
  CascadeSpec cascade;
  cascade.name = "digits";
  cascade.slots = 4;
  cascade.inputs = {Tensor("image", Datatype::kUint8, {28, 28}),
                    Tensor("scale", Datatype::kFp32, {})};
  StageSpec& backbone = cascade.stages.emplace_back();
  backbone.name = "backbone";
  backbone.model = "/models/backbone.pt";
  backbone.inputs = {{TensorRef::kRequest, 1}, {TensorRef::kRequest, 0}};
  backbone.outputs = {Tensor("probabilities", Datatype::kFp32, {10}),
                      Tensor("features", Datatype::kFp16, {64})};
  backbone.buckets = {1, 4};
  backbone.exit = {.score = ExitScore::kMargin, .output = 0, .threshold = 0.5f};
  backbone.gpu = {.precision = Precision::kFp16,
                  .layout = MemoryLayout::kChannelsLast,
                  .execution = Execution::kGraph};
  StageSpec& head = cascade.stages.emplace_back();
  head.name = "head";
  head.executor = ExecutorKind::kNull;
  head.inputs = {{0, 1}, {TensorRef::kRequest, 0}};
  head.outputs = {Tensor("probabilities", Datatype::kFp32, {10})};
  head.buckets = {1, 16};
  return cascade;
}

WorkerSpec ExampleSpec() {
  const CascadeSpec cascade = TwoStages();
  const SlabLayout layout = *SlabLayout::For(cascade);
  return {.cascade = cascade.name,
          .worker = 3,
          .incarnation = 4000000000u,
          .slots = layout.slots,
          .stride = layout.stride,
          .credits = 2,
          .threads = 5,
          .cpus = {0, 2, 4},
          .yields = true,
          .prepare_cpus = {6},
          .gpu = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6",
          .cache = "/var/cache/escan",
          .probes = 17,
          .stages = WorkerStagesOf(cascade, layout, {0, 1}),
          .feeders = {}};
}

TEST(WorkerStages, HoldTheirTensorsWithOffsets) {
  const CascadeSpec cascade = TwoStages();
  const SlabLayout layout = *SlabLayout::For(cascade);
  const std::vector<WorkerStage> stages = WorkerStagesOf(cascade, layout, {0, 1});
  const WorkerStage backbone{
      .index = 0,
      .name = "backbone",
      .executor = ExecutorKind::kTorchScript,
      .model = "/models/backbone.pt",
      .inputs = {{"scale", Datatype::kFp32, {}, layout.inputs[1]},
                 {"image", Datatype::kUint8, {28, 28}, layout.inputs[0]}},
      .outputs = {{"probabilities", Datatype::kFp32, {10}, layout.outputs[0][0]},
                  {"features", Datatype::kFp16, {64}, layout.outputs[0][1]}},
      .buckets = {1, 4},
      .score = ExitScore::kMargin,
      .score_output = 0,
      .gpu = {Precision::kFp16, MemoryLayout::kChannelsLast, Execution::kGraph}};
  const WorkerStage head{
      .index = 1,
      .name = "head",
      .executor = ExecutorKind::kNull,
      .model = "",
      .inputs = {{"features", Datatype::kFp16, {64}, layout.outputs[0][1]},
                 {"image", Datatype::kUint8, {28, 28}, layout.inputs[0]}},
      .outputs = {{"probabilities", Datatype::kFp32, {10}, layout.outputs[1][0]}},
      .buckets = {1, 16},
      .score = ExitScore::kNone,
      .score_output = 0,
      .gpu = {}};
  EXPECT_EQ(stages, (std::vector{backbone, head}));
}

TEST(WorkerStages, AreOnlyTheHostedOnes) {
  const CascadeSpec cascade = TwoStages();
  const SlabLayout layout = *SlabLayout::For(cascade);
  const std::vector<WorkerStage> stages = WorkerStagesOf(cascade, layout, {1});
  ASSERT_EQ(stages.size(), 1u);
  EXPECT_EQ(stages[0].index, 1);
  EXPECT_THAT(WorkerStagesOf(cascade, layout, {}), IsEmpty());
}

// Four stages: the third reads the second, which reads the first; the last reads the request alone.
CascadeSpec ChainOfReaders() {
  CascadeSpec cascade = TwoStages();
  const TensorSpec features = cascade.stages[0].outputs[1];
  StageSpec& second = cascade.stages[1];
  second.outputs.push_back(features);
  StageSpec& third = cascade.stages.emplace_back(second);
  third.inputs = {{1, 1}};
  StageSpec& last = cascade.stages.emplace_back(third);
  last.inputs = {{TensorRef::kRequest, 0}};
  return cascade;
}

TEST(Feeders, AreTheStagesThatAreReadAndNotHosted) {
  const CascadeSpec cascade = ChainOfReaders();
  EXPECT_THAT(FeedersOf(cascade, {2}), ElementsAre(0, 1));
  EXPECT_THAT(FeedersOf(cascade, {1}), ElementsAre(0));
  EXPECT_THAT(FeedersOf(cascade, {1, 2}), ElementsAre(0));
  EXPECT_THAT(FeedersOf(cascade, {0, 2}), ElementsAre(1)) << "that is not hosted, between two";
  EXPECT_THAT(FeedersOf(cascade, {0}), IsEmpty());
  EXPECT_THAT(FeedersOf(cascade, {3}), IsEmpty()) << "that read the request alone";
  EXPECT_THAT(FeedersOf(cascade, {0, 1, 2, 3}), IsEmpty());
}

TEST(WorkerSpec, ComesBackFromJsonWithProbesAndFeeders) {
  const CascadeSpec cascade = TwoStages();
  const SlabLayout layout = *SlabLayout::For(cascade);
  WorkerSpec spec = ExampleSpec();
  spec.stages = WorkerStagesOf(cascade, layout, {1});
  spec.feeders = WorkerStagesOf(cascade, layout, FeedersOf(cascade, {1}));
  spec.feeders[0].model_fd = 9;
  const auto read = WorkerSpecFromJson(ToJson(spec));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->probes, 17u);
  ASSERT_EQ(read->feeders.size(), 1u);
  EXPECT_EQ(read->feeders[0].name, "backbone");
  EXPECT_EQ(*read, spec);
}

TEST(WorkerSpec, ComesBackFromJsonAsItWas) {
  WorkerSpec spec = ExampleSpec();
  spec.stages[0].model_fd = 7;
  spec.stages[0].model_digest = "fnv1a64:00000000000000ff";
  const auto read = WorkerSpecFromJson(ToJson(spec));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, spec);
}

TEST(WorkerSpec, SurvivesAPathThatIsNotUtf8) {
  WorkerSpec spec = ExampleSpec();
  spec.stages[0].model = "/models/\xff.pt";
  EXPECT_TRUE(WorkerSpecFromJson(ToJson(spec)).ok());
}

TEST(WorkerSpec, ComesBackFromAMemoryFile) {
  WorkerSpec spec = ExampleSpec();
  spec.cascade = std::string(100000, 'x');
  const auto file = WriteWorkerSpec(spec);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(::fcntl(file->get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::lseek(file->get(), 0, SEEK_CUR), 0);
  for (int time = 0; time < 2; ++time) {
    const auto read = ReadWorkerSpec(file->get());
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, spec);
  }
}

TEST(WorkerSpec, SaysWhenItCannotBeRead) {
  EXPECT_FALSE(ReadWorkerSpec(-1).ok());
  const UniqueFd empty(::memfd_create("test", MFD_CLOEXEC));
  const auto read = ReadWorkerSpec(empty.get());
  EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(read.status().message(), "worker spec: is not JSON");
}

// --- malformed documents: the value at `pointer` is replaced, or removed when `value` is empty

struct Malformed {
  std::string pointer;
  std::string value;
  std::string error;
};

std::ostream& operator<<(std::ostream& out, const Malformed& bad) {
  return out << bad.pointer << " = " << bad.value;
}

class MalformedSpecTest : public ::testing::TestWithParam<Malformed> {};

TEST_P(MalformedSpecTest, IsRefusedByTheNameOfItsKey) {
  using Json = nlohmann::json;
  const Malformed& bad = GetParam();
  const Json::json_pointer pointer(bad.pointer);
  Json document = Json::parse(ToJson(ExampleSpec()));
  if (bad.value.empty()) {
    document[pointer.parent_pointer()].erase(pointer.back());
  } else {
    document[pointer] = Json::parse(bad.value);
  }
  const auto read = WorkerSpecFromJson(document.dump());
  EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(read.status().message()), HasSubstr("worker spec: " + bad.error));
}

INSTANTIATE_TEST_SUITE_P(
    WorkerSpec, MalformedSpecTest,
    ::testing::Values(
        Malformed{"/cascade", "", "cascade: missing"},
        Malformed{"/cascade", "1", "cascade: found 1, expected a string"},
        Malformed{"/worker", "-1", "worker: found -1, expected an integer in [0, 2147483647]"},
        Malformed{"/worker", "\"0\"", "worker: found \"0\", expected an integer"},
        Malformed{"/incarnation", "4294967296", "incarnation: found 4294967296, expected"},
        Malformed{"/slots", "0", "slots: found 0, expected an integer in [1,"},
        Malformed{"/stride", "", "stride: missing"},
        Malformed{"/stride", "1.5", "stride: found 1.5, expected an integer"},
        Malformed{"/credits", "0", "credits: found 0, expected an integer in [1,"},
        Malformed{"/threads", "18446744073709551615", "threads: found 18446744073709551615"},
        Malformed{"/cpus", "3", "cpus: found 3, expected an array"},
        Malformed{"/cpus/1", "-3", "cpus[1]: found -3, expected an integer in [0,"},
        Malformed{"/gpu", "", "gpu: missing"},
        Malformed{"/gpu", "0", "gpu: found 0, expected a string"},
        Malformed{"/cache", "", "cache: missing"},
        Malformed{"/cache", "null", "cache: found null, expected a string"},
        Malformed{"/probes", "", "probes: missing"},
        Malformed{"/probes", "-1", "probes: found -1, expected an integer in [0, 4294967295]"},
        Malformed{"/feeders", "", "feeders: missing"},
        Malformed{"/feeders", "[3]", "feeders[0]: found 3, expected an object"},
        Malformed{"/stages", "", "stages: missing"},
        Malformed{"/stages", "{}", "stages: found {}, expected an array"},
        Malformed{"/stages/1", "7", "stages[1]: found 7, expected an object"},
        Malformed{"/stages/0/index", "8",
                  "stages[0].index: found 8, expected an integer in [0, 7]"},
        Malformed{"/stages/1/name", "", "stages[1].name: missing"},
        Malformed{"/stages/1/executor", "\"onnx\"",
                  "stages[1].executor: found \"onnx\", expected a known name"},
        Malformed{"/stages/0/model", "null", "stages[0].model: found null, expected a string"},
        Malformed{"/stages/0/model_fd", "-2", "stages[0].model_fd: found -2, expected"},
        Malformed{"/stages/0/model_digest", "", "stages[0].model_digest: missing"},
        Malformed{"/stages/0/buckets/1", "257", "stages[0].buckets[1]: found 257, expected"},
        Malformed{"/stages/0/score", "\"best\"", "stages[0].score: found \"best\", expected"},
        Malformed{"/stages/0/score_output", "2", "stages[0].score_output: found 2, expected"},
        Malformed{"/stages/0/gpu", "", "stages[0].gpu: missing"},
        Malformed{"/stages/0/gpu", "\"fp16\"", "stages[0].gpu: found \"fp16\", expected an object"},
        Malformed{"/stages/0/gpu/precision", "", "stages[0].gpu.precision: missing"},
        Malformed{"/stages/0/gpu/precision", "\"fp8\"",
                  "stages[0].gpu.precision: found \"fp8\", expected a known name"},
        Malformed{"/stages/1/gpu/layout", "", "stages[1].gpu.layout: missing"},
        Malformed{"/stages/1/gpu/layout", "1", "stages[1].gpu.layout: found 1, expected a string"},
        Malformed{"/stages/1/gpu/execution", "", "stages[1].gpu.execution: missing"},
        Malformed{"/stages/1/gpu/execution", "\"lazy\"",
                  "stages[1].gpu.execution: found \"lazy\", expected a known name"},
        Malformed{"/stages/0/inputs/0/datatype", "\"BYTES\"",
                  "stages[0].inputs[0].datatype: found \"BYTES\", expected a known name"},
        Malformed{"/stages/0/inputs/1/shape/0", "0", "stages[0].inputs[1].shape[0]: found 0"},
        Malformed{"/stages/0/outputs/1/offset", "", "stages[0].outputs[1].offset: missing"},
        Malformed{"/stages/0/outputs/1/offset", "1073741825", "stages[0].outputs[1].offset: found"},
        Malformed{"/stages/0/outputs/1/name", "[]", "stages[0].outputs[1].name: found []"}));

TEST(WorkerSpec, RefusesWhatIsNoObject) {
  EXPECT_THAT(std::string(WorkerSpecFromJson("[1]").status().message()),
              HasSubstr("found [1], expected an object"));
  EXPECT_EQ(WorkerSpecFromJson("{").status().message(), "worker spec: is not JSON");
}

}  // namespace
}  // namespace escan
