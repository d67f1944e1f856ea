#include "loadgen/material.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "arrays/array_file.h"

namespace escan::loadgen {
namespace {

// `what` is "input" or "output".
absl::StatusOr<size_t> FindTensor(const std::vector<TensorSpec>& tensors, const std::string& name,
                                  const std::string& option, const std::string& what) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].name == name) return i;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(option, ": the model has no ", what, " '", name, "'; its ", what, "s are ",
                   absl::StrJoin(tensors, ", ", [](std::string* out, const TensorSpec& spec) {
                     absl::StrAppend(out, spec.name);
                   })));
}

// Enough random rows for variety, within 64 MiB; only a few when each is to be asked for.
int64_t RandomRows(const std::vector<TensorSpec>& inputs, const SampleOptions& options) {
  constexpr int64_t kMostRequests = 1024;
  constexpr int64_t kMostToAskFor = 64;
  size_t row_bytes = 1;
  for (const TensorSpec& spec : inputs) row_bytes += spec.row_bytes();
  const int64_t rows = options.rows_per_request;
  const auto requests =
      static_cast<int64_t>((size_t{64} << 20) / (row_bytes * static_cast<size_t>(rows)));
  const int64_t most =
      options.expect.ask ? std::max<int64_t>(1, kMostToAskFor / rows) : kMostRequests;
  return std::clamp<int64_t>(requests, 1, most) * rows;
}

absl::Status CheckLabelOutput(const ModelInfo& model, const std::string& name) {
  const absl::StatusOr<size_t> output = FindTensor(model.outputs, name, "--label-output", "output");
  if (!output.ok()) return output.status();
  const Datatype datatype = model.outputs[*output].datatype;
  if (datatype == Datatype::kFp32) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("--label-output: '%s' is %s, expected FP32", name, Name(datatype)));
}

// Takes the input that controls exits out of `inputs`: it is neither read nor random.
absl::Status PrepareExits(const SampleOptions& options, std::vector<TensorSpec>* inputs,
                          Material* material) {
  const std::string& name = options.exits.input;
  const absl::StatusOr<size_t> input = FindTensor(*inputs, name, "--difficulty-input", "input");
  if (!input.ok()) return input.status();
  const TensorSpec& spec = (*inputs)[*input];
  if (spec.datatype != Datatype::kFp32 || spec.elements() != 1) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--difficulty-input: '%s' is %s %s, expected FP32 with one element a row",
                        name, Name(spec.datatype), BatchedShapeString(spec.shape)));
  }
  for (const InputFile& file : options.files) {
    if (file.input == name) {
      return absl::InvalidArgumentError(
          absl::StrCat(file.file.native(), ": input '", name, "' follows from the exit ratios"));
    }
  }
  if (options.exits.drift.empty()) {
    material->exits = ExitSchedule(options.exits.ratios);
  } else {
    absl::StatusOr<ExitSchedule> schedule = ExitSchedule::FromFile(options.exits.drift);
    if (!schedule.ok()) return schedule.status();
    material->exits = *std::move(schedule);
  }
  material->difficulties.emplace(material->exits, options.rows_per_request, options.seed);
  material->difficulty_input = static_cast<int>(*input);
  inputs->erase(inputs->begin() + material->difficulty_input);
  return absl::OkStatus();
}

absl::Status PrepareSamples(const SampleOptions& options, std::vector<TensorSpec> inputs,
                            Material* material) {
  if (options.files.empty()) {
    if (absl::Status status = ApplyRanges(options.ranges, &inputs); !status.ok()) return status;
    material->samples = SampleSet::Random(inputs, RandomRows(inputs, options), options.seed);
    return absl::OkStatus();
  }
  absl::StatusOr<SampleSet> samples = SampleSet::FromFiles(inputs, options.files);
  if (!samples.ok()) return samples.status();
  material->samples = *std::move(samples);
  return absl::OkStatus();
}

absl::Status PrepareLabels(const SampleOptions& options, const ModelInfo& model,
                           Material* material) {
  if (absl::Status status = CheckLabelOutput(model, options.label_output); !status.ok()) {
    return status;
  }
  absl::StatusOr<std::vector<int64_t>> labels = ReadLabels(options.labels);
  if (!labels.ok()) return labels.status();
  const int64_t rows = material->samples.rows();
  if (static_cast<int64_t>(labels->size()) != rows) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.labels.native(), ": holds ", labels->size(),
                     " labels, expected one for each of ", rows, " samples"));
  }
  material->labels = *std::move(labels);
  return absl::OkStatus();
}

absl::Status PrepareAnswers(const ExpectOptions& options, const ModelInfo& model,
                            Material* material) {
  absl::StatusOr<RightAnswers> answers = RightAnswers::FromFile(
      options.file, model.outputs, material->samples.rows(), options.tolerance);
  if (!answers.ok()) return answers.status();
  material->answers = *std::move(answers);
  return absl::OkStatus();
}

// Goes round the samples until they fill a request.
void FillRequest(int rows, Material* material) {
  std::vector<int64_t>& labels = material->labels;
  const auto labelled = static_cast<size_t>(material->samples.rows());
  while (!labels.empty() && labels.size() < static_cast<size_t>(rows)) {
    labels.push_back(labels[labels.size() - labelled]);
  }
  material->samples.RepeatUpTo(rows);
}

}  // namespace

std::optional<ExitControl> Material::exit_control() const {
  if (!difficulties) return std::nullopt;
  return ExitControl{.input = difficulty_input, .difficulties = &*difficulties};
}

absl::StatusOr<Material> PrepareMaterial(const ModelInfo& model, const SampleOptions& options) {
  Material material;
  std::vector<TensorSpec> inputs = model.inputs;
  if (options.exits.given()) {
    if (absl::Status status = PrepareExits(options, &inputs, &material); !status.ok()) {
      return status;
    }
  }
  if (absl::Status status = PrepareSamples(options, std::move(inputs), &material); !status.ok()) {
    return status;
  }
  if (!options.labels.empty()) {
    if (absl::Status status = PrepareLabels(options, model, &material); !status.ok()) {
      return status;
    }
  }
  if (!options.expect.file.empty()) {
    if (absl::Status status = PrepareAnswers(options.expect, model, &material); !status.ok()) {
      return status;
    }
  }
  FillRequest(options.rows_per_request, &material);
  return material;
}

}  // namespace escan::loadgen
