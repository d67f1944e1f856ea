#pragma once

#include <cstddef>
#include <vector>

#include "ipc/worker_spec.h"

// Where the tensors of a batch lie when they lie together. Every part begins on 16 bytes, as the
// widest access of a kernel needs it.
namespace escan {

// Parts one behind another.
struct BlockLayout {
  std::vector<size_t> offsets;
  size_t bytes = 0;
};

// The inputs of `rows` rows of a stage: a part for each, [rows, row].
BlockLayout InputBlock(const WorkerStage& stage, int rows);

// What the CPU gets of `rows` rows of a stage: the scores, FP32 [rows], then each output in the
// datatype of its slot region, [rows, row].
BlockLayout OutputBlock(const WorkerStage& stage, int rows);

}  // namespace escan
