#include "config/exit_reader.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace escan {
namespace {

// What a score needs of the output that it is computed from.
bool Suits(ExitScore score, const TensorSpec& output) {
  if (score == ExitScore::kNone) return true;
  if (output.datatype != Datatype::kFp32) return false;
  return score == ExitScore::kOutput ? output.elements() == 1 : output.elements() >= 2;
}

std::string Needs(ExitScore score) {
  return absl::StrCat("score ", std::string(Name(score)), " needs FP32 with ",
                      score == ExitScore::kOutput ? "one element" : "at least two elements",
                      " a row");
}

std::optional<int> FindOutput(const StageSpec& stage, const std::string& name) {
  const auto found = std::find_if(stage.outputs.begin(), stage.outputs.end(),
                                  [&](const TensorSpec& output) { return output.name == name; });
  if (found == stage.outputs.end()) return std::nullopt;
  return static_cast<int>(found - stage.outputs.begin());
}

std::optional<ExitScore> ReadScore(const MapReader& map) {
  return map.Required("score").AsOneOf<ExitScore>({{"max_probability", ExitScore::kMaxProbability},
                                                   {"margin", ExitScore::kMargin},
                                                   {"entropy", ExitScore::kEntropy},
                                                   {"output", ExitScore::kOutput},
                                                   {"none", ExitScore::kNone}});
}

// The output that `score` is computed from.
int ReadOutput(const MapReader& map, ExitScore score, const StageSpec& stage) {
  const bool required = score == ExitScore::kOutput;
  const NodeReader node = required ? map.Required("output") : map["output"];
  const std::optional<std::string> name = node.AsString();
  if (score == ExitScore::kNone) {
    if (node.present()) node.AddMistake("is not used: the score is none");
    return 0;
  }
  if (stage.answer.empty() || (required && !name.has_value())) return 0;
  const std::optional<int> index =
      name.has_value() ? FindOutput(stage, *name) : std::optional<int>(stage.answer.front());
  if (!index.has_value()) {
    node.AddMistake(absl::StrCat(
        *name, " is not an output of this stage, expected one of ",
        absl::StrJoin(stage.outputs, ", ", [](std::string* out, const TensorSpec& output) {
          out->append(output.name);
        })));
    return 0;
  }
  const TensorSpec& output = stage.outputs[static_cast<size_t>(*index)];
  if (!Suits(score, output)) {
    node.AddMistake(absl::StrCat(output.name, " is ", std::string(Name(output.datatype)), " ",
                                 BatchedShapeString(output.shape), ", but ", Needs(score)));
  }
  return *index;
}

ExitRule DefaultLastExit(const StageSpec& stage, const StageSpec* before) {
  ExitRule rule;
  std::optional<int> output;
  if (before == nullptr) {
    if (stage.executor == ExecutorKind::kNull || stage.answer.empty()) return {};
    rule.score = ExitScore::kMaxProbability;
    output = stage.answer.front();
  } else if (before->exit.score != ExitScore::kNone && !before->outputs.empty()) {
    rule.score = before->exit.score;
    output = FindOutput(stage, before->outputs[static_cast<size_t>(before->exit.output)].name);
  }
  if (!output.has_value() || !Suits(rule.score, stage.outputs[static_cast<size_t>(*output)])) {
    return {};
  }
  rule.output = *output;
  return rule;
}

MapReader ExitMap(const NodeReader& node) {
  return MapReader(node, {"score", "output", "threshold"});
}

}  // namespace

ExitRule ReadExit(const NodeReader& node, const StageSpec& stage) {
  if (!node.present()) {
    node.AddMistake("missing, only the last stage can do without");
    return {};
  }
  const MapReader map = ExitMap(node);
  const std::optional<ExitScore> score = ReadScore(map);
  if (!score.has_value()) return {};
  ExitRule rule;
  rule.score = *score;
  rule.output = ReadOutput(map, *score, stage);
  if (*score == ExitScore::kNone) {
    if (map["threshold"].present()) {
      map["threshold"].AddMistake("is not used: a stage without a score never answers early");
    }
    return rule;
  }
  constexpr float kLimit = std::numeric_limits<float>::max();
  const bool bounded = *score != ExitScore::kOutput;
  rule.threshold = static_cast<float>(map.Required("threshold")
                                          .AsNumber(bounded ? 0 : -kLimit, bounded ? 1 : kLimit)
                                          .value_or(rule.threshold));
  return rule;
}

ExitRule ReadLastExit(const NodeReader& node, const StageSpec& stage, const StageSpec* before) {
  if (!node.present()) return DefaultLastExit(stage, before);
  const MapReader map = ExitMap(node);
  if (map["threshold"].present()) {
    map["threshold"].AddMistake("is not used: the last stage always answers");
  }
  const std::optional<ExitScore> score = ReadScore(map);
  if (!score.has_value()) return {};
  ExitRule rule;
  rule.score = *score;
  rule.output = ReadOutput(map, *score, stage);
  return rule;
}

}  // namespace escan
