#include "arrays/right_answers.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "arrays/tensor_comparison.h"

namespace escan {

RightAnswers::RightAnswers(std::vector<TensorSpec> outputs, int64_t samples, double tolerance)
    : outputs_(std::move(outputs)), samples_(samples), tolerance_(tolerance) {}

absl::StatusOr<RightAnswers> RightAnswers::FromFile(const std::filesystem::path& file,
                                                    std::vector<TensorSpec> outputs,
                                                    int64_t samples, double tolerance) {
  absl::StatusOr<std::map<std::string, Array>> arrays = ReadArrayArchive(file);
  if (!arrays.ok()) return arrays.status();
  RightAnswers answers(std::move(outputs), samples, tolerance);
  for (const auto& [name, array] : *arrays) {
    if (absl::Status status = answers.Add(name, array); !status.ok()) {
      return absl::Status(status.code(), absl::StrCat(file.native(), ": ", status.message()));
    }
  }
  if (arrays->empty()) {
    return absl::InvalidArgumentError(absl::StrCat(file.native(), ": holds no array"));
  }
  return answers;
}

absl::Status RightAnswers::Add(const std::string& name, const Array& array) {
  const auto output = std::find_if(outputs_.begin(), outputs_.end(),
                                   [&](const TensorSpec& spec) { return spec.name == name; });
  if (output == outputs_.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the model has no output '", name, "'; its outputs are ",
                     absl::StrJoin(outputs_, ", ", [](std::string* out, const TensorSpec& spec) {
                       absl::StrAppend(out, spec.name);
                     })));
  }
  if (absl::Status status = CheckShape(*output, array); !status.ok()) return status;
  const bool same_for_all_stages = array.shape.size() == output->shape.size() + 1;
  const size_t stages = same_for_all_stages ? 1 : static_cast<size_t>(array.shape[0]);
  if (!stages_.empty() &&
      (stages != stages_.size() || same_for_all_stages != same_for_all_stages_)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", name, "' has the shape ", ShapeString(array.shape),
                     ", expected as many stages as the arrays before"));
  }
  same_for_all_stages_ = same_for_all_stages;
  const auto index = static_cast<size_t>(output - outputs_.begin());
  const size_t bytes = array.bytes.size() / stages;
  for (size_t i = 0; i < stages; ++i) {
    Stage& stage = StageAt(i);
    stage.contents[index] = array.bytes.substr(i * bytes, bytes);
    stage.largest[index] = LargestFinite(output->datatype, stage.contents[index]);
    stage.known.assign(stage.known.size(), true);
  }
  return absl::OkStatus();
}

absl::Status RightAnswers::CheckShape(const TensorSpec& output, const Array& array) const {
  std::vector<int64_t> of_samples = {samples_};
  of_samples.insert(of_samples.end(), output.shape.begin(), output.shape.end());
  std::vector<int64_t> found = array.shape;
  if (found.size() == of_samples.size() + 1) found.erase(found.begin());
  if (array.datatype == output.datatype && found == of_samples) return absl::OkStatus();
  const std::string expected = absl::StrJoin(of_samples, ",");
  return absl::InvalidArgumentError(absl::StrFormat(
      "'%s' holds %s %s, expected %s [%s] or [stages,%s]", output.name, Name(array.datatype),
      ShapeString(array.shape), Name(output.datatype), expected, expected));
}

RightAnswers::Stage& RightAnswers::StageAt(size_t index) {
  while (stages_.size() <= index) {
    stages_.push_back({.contents = std::vector<std::string>(outputs_.size()),
                       .largest = std::vector<double>(outputs_.size()),
                       .known = std::vector<bool>(static_cast<size_t>(samples_))});
  }
  return stages_[index];
}

void RightAnswers::Set(int64_t sample, int stage, absl::Span<const std::string_view> rows) {
  Stage& answers = StageAt(static_cast<size_t>(stage - 1));
  for (size_t i = 0; i < outputs_.size(); ++i) {
    std::string& contents = answers.contents[i];
    contents.resize(static_cast<size_t>(samples_) * rows[i].size());
    contents.replace(static_cast<size_t>(sample) * rows[i].size(), rows[i].size(), rows[i]);
    answers.largest[i] = std::max(answers.largest[i], LargestFinite(outputs_[i].datatype, rows[i]));
  }
  answers.known[static_cast<size_t>(sample)] = true;
}

RightAnswers::Verdict RightAnswers::Judge(int64_t sample, int stage,
                                          absl::Span<const std::string_view> rows) const {
  const size_t index = same_for_all_stages_ ? 0 : static_cast<size_t>(stage - 1);
  if (index >= stages_.size() || !stages_[index].known[static_cast<size_t>(sample)]) return {};
  const Stage& right = stages_[index];
  for (size_t i = 0; i < outputs_.size(); ++i) {
    if (right.contents[i].empty()) continue;
    const std::string_view expected =
        std::string_view(right.contents[i])
            .substr(static_cast<size_t>(sample) * rows[i].size(), rows[i].size());
    std::optional<std::string> wrong =
        FindDifference(outputs_[i], rows[i], expected, tolerance_ * right.largest[i]);
    if (wrong) return {.known = true, .wrong = std::move(wrong)};
  }
  return {.known = true, .wrong = std::nullopt};
}

}  // namespace escan
