#include "worker/verification/answer_comparison.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "arrays/tensor_comparison.h"
#include "worker/loop/exit_scores.h"
#include "worker/loop/stage_tensors.h"

namespace escan {
namespace {

constexpr double kFp32Tolerance = 0.002;
constexpr double kMostDecisionsThatDiffer = 0.25;

bool IsDecision(Datatype datatype) { return IsInteger(datatype) || datatype == Datatype::kBool; }

std::string_view Text(const std::byte* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

// One output of a batch beside the right one.
class OutputComparison {
 public:
  OutputComparison(const SlabTensor& output, const Slab& right, std::span<const SlotId> slots,
                   const std::byte* found)
      : tensor_{.name = output.name, .datatype = output.datatype, .shape = output.shape},
        offset_(output.offset),
        right_(right),
        slots_(slots),
        found_(found),
        row_bytes_(RowBytes(output)) {}

  // Rows that differ are marked; what is wrong with the first.
  std::optional<std::string> Run(double tolerance, std::span<RowResult> results) const {
    if (IsDecision(tensor_.datatype) && FewDiffer()) return std::nullopt;
    const double allowed = tolerance * LargestRight();
    std::optional<std::string> first;
    for (size_t row = 0; row < slots_.size(); ++row) {
      const std::optional<std::string> difference =
          FindDifference(tensor_, FoundRow(row), RightRow(row), allowed);
      if (!difference) continue;
      results[row].differs = true;
      if (!first) first = absl::StrCat("row ", row, ": ", *difference);
    }
    return first;
  }

  double LargestRight() const {
    double largest = 0;
    for (size_t row = 0; row < slots_.size(); ++row) {
      largest = std::max(largest, LargestFinite(tensor_.datatype, RightRow(row)));
    }
    return largest;
  }

 private:
  std::string_view RightRow(size_t row) const {
    return Text(right_.At(slots_[row], offset_), row_bytes_);
  }
  std::string_view FoundRow(size_t row) const {
    return Text(found_ + row * row_bytes_, row_bytes_);
  }

  // So few elements that their decisions may have been close.
  bool FewDiffer() const {
    const size_t bytes = ByteSize(tensor_.datatype);
    size_t differ = 0;
    size_t all = 0;
    for (size_t row = 0; row < slots_.size(); ++row) {
      for (size_t at = 0; at < row_bytes_; at += bytes, ++all) {
        differ += FoundRow(row).substr(at, bytes) == RightRow(row).substr(at, bytes) ? 0 : 1;
      }
    }
    return static_cast<double>(differ) <= kMostDecisionsThatDiffer * static_cast<double>(all);
  }

  const TensorSpec tensor_;
  const size_t offset_;
  const Slab& right_;
  const std::span<const SlotId> slots_;
  const std::byte* const found_;
  const size_t row_bytes_;
};

// Of scores; `allowed` as for the elements that they are made of.
bool Differ(float found, float right, double allowed) {
  if (std::isnan(found) || std::isnan(right)) return std::isnan(found) != std::isnan(right);
  return found != right && !(std::abs(found - right) <= allowed);
}

}  // namespace

float RightScore(const WorkerStage& stage, const Slab& right, SlotId slot) {
  if (stage.score == ExitScore::kNone) return ExitScoreOf(stage.score, {});
  const SlabTensor& output = stage.outputs[static_cast<size_t>(stage.score_output)];
  std::vector<float> row(RowBytes(output) / sizeof(float));
  std::memcpy(row.data(), right.At(slot, output.offset), row.size() * sizeof(float));
  return ExitScoreOf(stage.score, row);
}

double Tolerance(Precision precision) {
  return precision == Precision::kFp16 ? kFp16Tolerance : kFp32Tolerance;
}

std::optional<std::string> CompareAnswer(const WorkerStage& stage, const Slab& right,
                                         std::span<const SlotId> slots,
                                         const ComputedAnswer& answer,
                                         std::span<RowResult> results) {
  const double tolerance = Tolerance(stage.gpu.precision);
  std::optional<std::string> first;
  double score_scale = 1;
  for (size_t i = 0; i < stage.outputs.size(); ++i) {
    const OutputComparison output(stage.outputs[i], right, slots, answer.outputs[i]);
    std::optional<std::string> wrong = output.Run(tolerance, results);
    if (!first) first = std::move(wrong);
    if (stage.score == ExitScore::kOutput && static_cast<int>(i) == stage.score_output) {
      score_scale = output.LargestRight();
    }
  }
  for (size_t row = 0; row < slots.size(); ++row) {
    results[row].score = answer.scores[row];
    const float expected = RightScore(stage, right, slots[row]);
    if (!Differ(answer.scores[row], expected, tolerance * score_scale)) continue;
    results[row].differs = true;
    if (!first) {
      first = absl::StrCat("row ", row, ": its score is ", answer.scores[row], " where ", expected,
                           " is right");
    }
  }
  return first;
}

}  // namespace escan
