#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "escan/ids.h"
#include "escan/stage_executor.h"
#include "ipc/slab.h"
#include "ipc/worker_spec.h"

namespace escan {

// Why a row of a stage that is to be scored has the score NaN, by what its outputs hold: the
// probable mistake, as "'probabilities' sums to -3.1, not 1: no softmax?". `outputs` has the row's
// part of each output.
std::string DiagnoseNanScore(const WorkerStage& stage, std::span<const std::byte* const> outputs);

// Whether the score is one of a probability vector and the row is none, though its score may be a
// number: an embedding without negative values has a "probability" of 7.
bool ScoresNoProbabilities(const WorkerStage& stage, std::span<const std::byte* const> outputs);

// Warns when a stage's score is NaN, which never exits: once for each stage. Used by the worker's
// main thread.
class ScoreWatch {
 public:
  // `warn` gets the fields of a log line. All else outlives this.
  using Warn = std::function<void(const std::string& fields)>;
  ScoreWatch(const std::vector<WorkerStage>& stages, const Slab& slab, Warn warn);

  // A batch was computed, and its outputs lie in `slots`.
  void Look(int stage, std::span<const SlotId> slots, std::span<const RowResult> results);

 private:
  const Slab& slab_;
  Warn warn_;
  std::vector<const WorkerStage*> silent_;  // scored, and not warned of yet
};

}  // namespace escan
