#include "worker/verification/score_diagnosis.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "worker/loop/stage_tensors.h"

namespace escan {
namespace {

constexpr double kRounding = 0.01;  // of a sum of probabilities

std::vector<float> RowOf(const SlabTensor& output, const std::byte* bytes) {
  std::vector<float> row(RowBytes(output) / sizeof(float));
  std::memcpy(row.data(), bytes, row.size() * sizeof(float));
  return row;
}

bool AddUpToOne(double sum) { return std::abs(sum - 1) < kRounding; }

double Sum(const std::vector<float>& row) { return std::accumulate(row.begin(), row.end(), 0.0); }

bool LooksLikeProbabilities(const SlabTensor& output, const std::byte* bytes) {
  if (output.datatype != Datatype::kFp32) return false;
  const std::vector<float> row = RowOf(output, bytes);
  return row.size() > 1 && AddUpToOne(Sum(row)) &&
         std::all_of(row.begin(), row.end(), [](float value) { return value >= 0; });
}

bool LooksLikeLogarithms(const std::vector<float>& row) {
  double sum = 0;
  for (const float value : row) sum += std::exp(static_cast<double>(value));
  return AddUpToOne(sum) && *std::max_element(row.begin(), row.end()) <= 0;
}

}  // namespace

std::string DiagnoseNanScore(const WorkerStage& stage, std::span<const std::byte* const> outputs) {
  const auto scored = static_cast<size_t>(stage.score_output);
  const SlabTensor& output = stage.outputs[scored];
  const std::string name = absl::StrCat("'", output.name, "'");
  const std::vector<float> row = RowOf(output, outputs[scored]);
  const auto strange =
      std::find_if(row.begin(), row.end(), [](float value) { return !std::isfinite(value); });
  if (strange != row.end()) {
    return absl::StrCat(name, "[", strange - row.begin(), "] is ", *strange);
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (i == scored || !LooksLikeProbabilities(stage.outputs[i], outputs[i])) continue;
    return absl::StrCat("exit.output names ", name, "; '", stage.outputs[i].name,
                        "' looks like probabilities");
  }
  if (LooksLikeLogarithms(row)) {
    return absl::StrCat(name, " holds logarithms: log_softmax in place of softmax?");
  }
  if (!AddUpToOne(Sum(row))) {
    return absl::StrFormat("%s sums to %.3g, not 1: no softmax?", name, Sum(row));
  }
  return absl::StrFormat("%s holds %.3g, which is no probability", name,
                         *std::min_element(row.begin(), row.end()));
}

bool ScoresNoProbabilities(const WorkerStage& stage, std::span<const std::byte* const> outputs) {
  if (stage.score == ExitScore::kNone || stage.score == ExitScore::kOutput) return false;
  const auto scored = static_cast<size_t>(stage.score_output);
  const std::vector<float> row = RowOf(stage.outputs[scored], outputs[scored]);
  return !AddUpToOne(Sum(row)) || *std::min_element(row.begin(), row.end()) < 0;  // NaN: no sum
}

ScoreWatch::ScoreWatch(const std::vector<WorkerStage>& stages, const Slab& slab, Warn warn)
    : slab_(slab), warn_(std::move(warn)) {
  for (const WorkerStage& stage : stages) {
    if (stage.score != ExitScore::kNone) silent_.push_back(&stage);
  }
}

void ScoreWatch::Look(int index, std::span<const SlotId> slots,
                      std::span<const RowResult> results) {
  const auto stage = std::find_if(silent_.begin(), silent_.end(),
                                  [index](const WorkerStage* s) { return s->index == index; });
  if (stage == silent_.end()) return;
  const auto nan = std::find_if(results.begin(), results.end(), [](const RowResult& result) {
    return !result.failed && std::isnan(result.score);
  });
  if (nan == results.end()) return;
  std::vector<const std::byte*> outputs;
  for (const SlabTensor& output : (*stage)->outputs) {
    outputs.push_back(slab_.At(slots[static_cast<size_t>(nan - results.begin())], output.offset));
  }
  warn_(absl::StrCat("event=score_nan stage=", (*stage)->name,
                     " score=", std::string(Name((*stage)->score)), " reason=\"",
                     DiagnoseNanScore(**stage, outputs), "\""));
  silent_.erase(stage);
}

}  // namespace escan
