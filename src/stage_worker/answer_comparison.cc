#include "stage_worker/answer_comparison.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "stage_worker/exit_scores.h"
#include "stage_worker/stage_tensors.h"

namespace escan {
namespace {

constexpr double kFp32Tolerance = 0.002;
constexpr double kFp16Tolerance = 0.05;
constexpr double kMostDecisionsThatDiffer = 0.25;

bool IsFloatingPoint(Datatype datatype) {
  return datatype == Datatype::kFp16 || datatype == Datatype::kBf16 ||
         datatype == Datatype::kFp32 || datatype == Datatype::kFp64;
}

template <typename T>
T Load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

float FromBf16(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  return Load<float>(reinterpret_cast<const std::byte*>(&wide));
}

// IEEE 754 binary16.
double FromFp16(uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1f;
  const int fraction = bits & 0x3ff;
  double value;
  if (exponent == 0x1f) {
    value = fraction == 0 ? HUGE_VAL : std::nan("");
  } else if (exponent == 0) {
    value = std::ldexp(fraction, -24);
  } else {
    value = std::ldexp(fraction + 1024, exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -value : value;
}

double FloatingPoint(Datatype datatype, const std::byte* bytes) {
  switch (datatype) {
    case Datatype::kFp16:
      return FromFp16(Load<uint16_t>(bytes));
    case Datatype::kBf16:
      return FromBf16(Load<uint16_t>(bytes));
    case Datatype::kFp64:
      return Load<double>(bytes);
    default:
      return Load<float>(bytes);
  }
}

bool Differ(double found, double right, double allowed) {
  if (std::isfinite(found) && std::isfinite(right)) return std::abs(found - right) > allowed;
  return std::isnan(found) ? !std::isnan(right) : found != right;
}

// One output of a batch beside the right one.
class OutputComparison {
 public:
  OutputComparison(const SlabTensor& output, const Slab& right, std::span<const SlotId> slots,
                   const std::byte* found)
      : output_(output),
        right_(right),
        slots_(slots),
        found_(found),
        element_bytes_(ByteSize(output.datatype)),
        elements_(RowBytes(output) / element_bytes_) {}

  // Rows that differ are marked; what is wrong with the first.
  std::optional<std::string> Run(double tolerance, std::span<RowResult> results) const {
    return IsFloatingPoint(output_.datatype) ? CompareNumbers(tolerance * LargestRight(), results)
                                             : CompareDecisions(results);
  }

  double LargestRight() const {
    double largest = 0;
    for (const SlotId slot : slots_) {
      for (size_t i = 0; i < elements_; ++i) {
        const double value = std::abs(Right(slot, i));
        if (std::isfinite(value)) largest = std::max(largest, value);
      }
    }
    return largest;
  }

 private:
  const std::byte* RightAt(SlotId slot, size_t element) const {
    return right_.At(slot, output_.offset) + element * element_bytes_;
  }
  const std::byte* FoundAt(size_t row, size_t element) const {
    return found_ + (row * elements_ + element) * element_bytes_;
  }
  double Right(SlotId slot, size_t element) const {
    return FloatingPoint(output_.datatype, RightAt(slot, element));
  }

  std::optional<std::string> CompareNumbers(double allowed, std::span<RowResult> results) const {
    std::optional<std::string> first;
    for (size_t row = 0; row < slots_.size(); ++row) {
      for (size_t i = 0; i < elements_; ++i) {
        const double found = FloatingPoint(output_.datatype, FoundAt(row, i));
        const double right = Right(slots_[row], i);
        if (!Differ(found, right, allowed)) continue;
        results[row].differs = true;
        if (!first) first = Describe(row, i, absl::StrCat(found), absl::StrCat(right));
        break;
      }
    }
    return first;
  }

  bool SameBytes(size_t row, size_t element) const {
    return std::memcmp(FoundAt(row, element), RightAt(slots_[row], element), element_bytes_) == 0;
  }

  std::optional<std::string> CompareDecisions(std::span<RowResult> results) const {
    size_t differ = 0;
    for (size_t row = 0; row < slots_.size(); ++row) {
      for (size_t i = 0; i < elements_; ++i) differ += SameBytes(row, i) ? 0 : 1;
    }
    const auto all = static_cast<double>(slots_.size() * elements_);
    if (static_cast<double>(differ) <= kMostDecisionsThatDiffer * all) return std::nullopt;
    std::optional<std::string> first;
    for (size_t row = 0; row < slots_.size(); ++row) {
      for (size_t i = 0; i < elements_; ++i) {
        if (SameBytes(row, i)) continue;
        results[row].differs = true;
        if (!first)
          first = Describe(row, i, Integer(FoundAt(row, i)), Integer(RightAt(slots_[row], i)));
      }
    }
    return first;
  }

  std::string Integer(const std::byte* bytes) const {
    uint64_t bits = 0;
    std::memcpy(&bits, bytes, element_bytes_);
    const bool is_signed =
        output_.datatype == Datatype::kInt8 || output_.datatype == Datatype::kInt16 ||
        output_.datatype == Datatype::kInt32 || output_.datatype == Datatype::kInt64;
    if (!is_signed) return absl::StrCat(bits);
    const auto unused = static_cast<int>(8 * (sizeof(bits) - element_bytes_));
    return absl::StrCat(static_cast<int64_t>(bits << unused) >> unused);
  }

  std::string Describe(size_t row, size_t element, const std::string& found,
                       const std::string& right) const {
    return absl::StrCat("row ", row, ": '", output_.name, "'[", element, "] is ", found, " where ",
                        right, " is right");
  }

  const SlabTensor& output_;
  const Slab& right_;
  const std::span<const SlotId> slots_;
  const std::byte* const found_;
  const size_t element_bytes_;
  const size_t elements_;
};

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
