#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "escan/stage_executor.h"
#include "ipc/slab.h"
#include "ipc/worker_spec.h"

namespace escan {

// What a batch of a stage answered, as an executor has it before it is written to the slots.
struct ComputedAnswer {
  std::span<const std::byte* const> outputs;  // of each output its rows, one behind the other
  std::span<const float> scores;              // one a row
};

// How far an element may lie from the right one, as a part of the largest absolute value that the
// right answers of the batch have in this output: 0.002 for kFp32, whose sums only change their
// order, 0.05 for kFp16, which rounds each intermediate value to 11 bits. Wrong kernels miss by
// the whole. docs/verification.md derives them.
double Tolerance(Precision precision);

// Marks in `results` which rows of the batch differ from what lies in their slots, and returns what
// is wrong with the first of them, as "row 3: 'probabilities'[7] is 0.98 where 0.02 is right".
//
//   - Floating-point elements differ by more than the tolerance, or where one is NaN or infinite
//   and
//     the other is not the same.
//   - Integers and truth values are decisions on such numbers, which may be close: they differ when
//     more than a quarter of the output's elements in the batch do, for FP32 and FP16 alike.
//   - A score differs from the one that ExitScoreOf() gives for the right output as its elements
//   do.
//
// `slots` name the rows' places in `right`, which holds the right outputs.
std::optional<std::string> CompareAnswer(const WorkerStage& stage, const Slab& right,
                                         std::span<const SlotId> slots,
                                         const ComputedAnswer& answer,
                                         std::span<RowResult> results);

// The score of the right outputs in a slot, as ExitScoreOf() says.
float RightScore(const WorkerStage& stage, const Slab& right, SlotId slot);

}  // namespace escan
