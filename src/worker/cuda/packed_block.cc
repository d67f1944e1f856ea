#include "worker/cuda/packed_block.h"

#include "worker/loop/stage_tensors.h"

namespace escan {
namespace {

constexpr size_t kAlignment = 16;

void Append(size_t bytes, BlockLayout* block) {
  block->offsets.push_back(block->bytes);
  block->bytes += (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

void Append(const std::vector<SlabTensor>& tensors, int rows, BlockLayout* block) {
  for (const SlabTensor& tensor : tensors) {
    Append(RowBytes(tensor) * static_cast<size_t>(rows), block);
  }
}

}  // namespace

BlockLayout InputBlock(const WorkerStage& stage, int rows) {
  BlockLayout block;
  Append(stage.inputs, rows, &block);
  return block;
}

BlockLayout OutputBlock(const WorkerStage& stage, int rows) {
  BlockLayout block;
  Append(sizeof(float) * static_cast<size_t>(rows), &block);
  Append(stage.outputs, rows, &block);
  return block;
}

}  // namespace escan
