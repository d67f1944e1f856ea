#include "config/stage_reader.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/exit_reader.h"
#include "config/files.h"
#include "config/scalars.h"
#include "config/tensor_reader.h"

namespace escan {
namespace {

constexpr size_t kMaxStageInputs = 64;
constexpr char kNotOfTheNullExecutor[] = "is not used by the null executor";

std::string Names(const std::vector<TensorSpec>& tensors) {
  return absl::StrJoin(
      tensors, ", ", [](std::string* out, const TensorSpec& tensor) { out->append(tensor.name); });
}

std::optional<int> IndexOf(const std::vector<TensorSpec>& tensors, const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const TensorSpec& tensor) { return tensor.name == name; });
  if (found == tensors.end()) return std::nullopt;
  return static_cast<int>(found - tensors.begin());
}

std::string ReadStageName(const NodeReader& node, const CascadeSpec& cascade) {
  const std::string name = node.AsParsed(ParseName).value_or("");
  if (!name.empty() && cascade.FindStage(name).has_value()) {
    node.AddMistake(absl::StrCat("there is another stage named ", name));
  }
  return name;
}

std::filesystem::path ReadModel(const NodeReader& node, const std::filesystem::path& folder) {
  const std::optional<std::string> name = node.AsString();
  if (!name.has_value()) return {};
  const std::filesystem::path model = AbsolutePath(folder, *name);
  if (const absl::Status status = CheckReadable(model); !status.ok()) {
    node.AddMistake(std::string(status.message()));
  }
  return model;
}

// The executor, and the model where it needs one.
void ReadExecutor(const MapReader& map, const std::filesystem::path& folder, StageSpec* stage) {
  const NodeReader node = map["executor"];
  if (node.IsNull()) {  // the plain word null is YAML for no value
    stage->executor = ExecutorKind::kNull;
  } else if (node.present()) {
    const std::optional<ExecutorKind> executor = node.AsOneOf<ExecutorKind>(
        {{"torchscript", ExecutorKind::kTorchScript}, {"null", ExecutorKind::kNull}});
    if (!executor.has_value()) return;
    stage->executor = *executor;
  }
  if (stage->executor == ExecutorKind::kTorchScript) {
    stage->model = ReadModel(map.Required("model"), folder);
  } else if (map["model"].present()) {
    map["model"].AddMistake(kNotOfTheNullExecutor);
  }
}

// How a GPU runs the stage of `map`.
GpuOptions ReadGpuOptionsOf(const MapReader& map, ExecutorKind executor) {
  if (executor != ExecutorKind::kNull) return ReadGpuOptions(map);
  for (const char* key : {"precision", "layout", "execution", "fallback"}) {
    if (map[key].present()) map[key].AddMistake(kNotOfTheNullExecutor);
  }
  return {};
}

std::optional<TensorRef> FindRequestInput(const NodeReader& node, const CascadeSpec& cascade,
                                          const std::string& name) {
  const std::optional<int> input = IndexOf(cascade.inputs, name);
  if (input.has_value()) return TensorRef{TensorRef::kRequest, *input};
  if (!cascade.inputs.empty()) {
    node.AddMistake(absl::StrCat("there is no input ", name, ", expected one of ",
                                 Names(cascade.inputs), ", or STAGE.OUTPUT of an earlier stage"));
  }
  return std::nullopt;
}

std::optional<TensorRef> FindStageOutput(const NodeReader& node, const CascadeSpec& cascade,
                                         const std::string& stage_name, const std::string& name) {
  const std::optional<int> stage = cascade.FindStage(stage_name);
  if (!stage.has_value()) {
    const bool all_named =
        std::none_of(cascade.stages.begin(), cascade.stages.end(),
                     [](const StageSpec& earlier) { return earlier.name.empty(); });
    if (all_named) node.AddMistake(absl::StrCat("there is no earlier stage ", stage_name));
    return std::nullopt;
  }
  const std::vector<TensorSpec>& outputs = cascade.stages[static_cast<size_t>(*stage)].outputs;
  const std::optional<int> output = IndexOf(outputs, name);
  if (output.has_value()) return TensorRef{*stage, *output};
  if (!outputs.empty()) {
    node.AddMistake(absl::StrCat("stage ", stage_name, " has no output ", name,
                                 ", expected one of ", Names(outputs)));
  }
  return std::nullopt;
}

std::optional<TensorRef> ReadTensorRef(const NodeReader& node, const CascadeSpec& cascade) {
  const std::optional<std::string> text = node.AsString();
  if (!text.has_value()) return std::nullopt;
  const size_t dot = text->find('.');
  if (dot == std::string::npos) return FindRequestInput(node, cascade, *text);
  return FindStageOutput(node, cascade, text->substr(0, dot), text->substr(dot + 1));
}

std::vector<TensorRef> ReadStageInputs(const NodeReader& node, const CascadeSpec& cascade) {
  std::vector<TensorRef> refs;
  if (!node.present()) {
    for (size_t i = 0; i < cascade.inputs.size(); ++i) {
      refs.push_back({TensorRef::kRequest, static_cast<int>(i)});
    }
  }
  for (const NodeReader& element : node.AsList(1, kMaxStageInputs)) {
    const std::optional<TensorRef> ref = ReadTensorRef(element, cascade);
    if (!ref.has_value()) continue;
    if (std::find(refs.begin(), refs.end(), *ref) != refs.end()) {
      element.AddMistake("is named twice");
    }
    refs.push_back(*ref);
  }
  return refs;
}

std::string DatatypeAndShape(const TensorSpec& tensor) {
  return absl::StrCat(std::string(Name(tensor.datatype)), " ", BatchedShapeString(tensor.shape));
}

// Where among the stage's outputs those of the cascade are; empty when one is missing.
std::vector<int> FindAnswer(const NodeReader& node, const std::vector<TensorSpec>& stage_outputs,
                            const std::vector<TensorSpec>& cascade_outputs) {
  if (stage_outputs.empty()) return {};
  std::vector<int> answer;
  for (const TensorSpec& wanted : cascade_outputs) {
    const std::optional<int> index = IndexOf(stage_outputs, wanted.name);
    if (!index.has_value()) {
      node.AddMistake(absl::StrCat("the cascade's output ", wanted.name, " is missing"));
      return {};
    }
    const TensorSpec& found = stage_outputs[static_cast<size_t>(*index)];
    if (found != wanted) {
      node.AddMistake(absl::StrCat(wanted.name, " is ", DatatypeAndShape(found),
                                   ", but the cascade's is ", DatatypeAndShape(wanted)));
    }
    answer.push_back(*index);
  }
  return answer;
}

std::vector<int> ReadBuckets(const NodeReader& node) {
  if (!node.present()) return {1, 4, 16, 64};
  const size_t mistakes_before = node.mistakes()->count();
  std::vector<int> buckets;
  for (const NodeReader& element : node.AsList(1, kMaxBatchRows)) {
    const std::optional<int> rows = element.AsInt(1, kMaxBatchRows);
    if (!rows.has_value()) continue;
    if (!buckets.empty() && *rows <= buckets.back()) {
      element.AddMistake(
          absl::StrCat(*rows, " follows ", buckets.back(), ", expected an ascending list"));
    }
    buckets.push_back(*rows);
  }
  if (node.mistakes()->count() != mistakes_before) buckets.clear();
  return buckets;
}

}  // namespace

GpuOptions ReadGpuOptions(const MapReader& map) {
  GpuOptions options;
  options.precision = map["precision"]
                          .AsOneOf({Named(Precision::kFp32), Named(Precision::kFp16)})
                          .value_or(options.precision);
  options.layout = map["layout"]
                       .AsOneOf({Named(MemoryLayout::kAuto), Named(MemoryLayout::kContiguous),
                                 Named(MemoryLayout::kChannelsLast)})
                       .value_or(options.layout);
  options.execution =
      map["execution"]
          .AsOneOf({Named(Execution::kAuto), Named(Execution::kGraph), Named(Execution::kEager)})
          .value_or(options.execution);
  options.fp32_fallback = map["fallback"]
                              .AsOneOf<bool>({{"none", false}, {"fp32", true}})
                              .value_or(options.fp32_fallback);
  return options;
}

StageSpec ReadStage(const NodeReader& node, const CascadeSpec& cascade, bool last,
                    const std::filesystem::path& folder) {
  const MapReader map(node, {"name", "executor", "model", "precision", "layout", "execution",
                             "fallback", "inputs", "outputs", "buckets", "exit"});
  StageSpec stage;
  stage.name = ReadStageName(map.Required("name"), cascade);
  ReadExecutor(map, folder, &stage);
  stage.gpu = ReadGpuOptionsOf(map, stage.executor);
  stage.inputs = ReadStageInputs(map["inputs"], cascade);
  const NodeReader outputs = map["outputs"];
  stage.outputs = outputs.present() ? ReadTensors(outputs, TensorRole::kOutput) : cascade.outputs;
  stage.answer = FindAnswer(outputs, stage.outputs, cascade.outputs);
  stage.buckets = ReadBuckets(map["buckets"]);
  const StageSpec* before = cascade.stages.empty() ? nullptr : &cascade.stages.back();
  stage.exit = last ? ReadLastExit(map["exit"], stage, before) : ReadExit(map["exit"], stage);
  return stage;
}

}  // namespace escan
