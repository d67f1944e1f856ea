#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "escan/cascade.h"
#include "escan/ids.h"

// What a step runs on the GPU besides the model: everything between the slots and the model's
// tensors. The functions enqueue and return; kernels take all they need by value.
namespace escan {

// One input of a stage on its way from the slots of a batch to a contiguous tensor.
struct GatherInput {
  size_t offset = 0;  // in the slot
  uint32_t row_bytes = 0;
  std::byte* target = nullptr;  // device memory, [bucket, row_bytes]
};

// Where the slots are, as the device sees them: slot s begins at base + s * stride.
struct DeviceSlots {
  const std::byte* base = nullptr;
  size_t stride = 0;
};

// Copies row n of every input from slots[n]; fills the rows from slots.size() to `bucket` with
// zeros, which every model must accept. At most kMaxBatchRows slots. Offsets and stride are
// multiples of 16, as the slab's are.
cudaError_t LaunchGather(const DeviceSlots& from, std::span<const SlotId> slots, int bucket,
                         std::span<const GatherInput> inputs, cudaStream_t stream);

// How the elements of a model's output become those of the slot.
enum class Conversion : uint8_t {
  kCopy1,  // as they are, of so many bytes each
  kCopy2,
  kCopy4,
  kCopy8,
  kFp16ToFp32,
  kBf16ToFp32,
  kFp32ToFp16,
  kBf16ToFp16,
};

// One output of a stage on its way from the model's tensor to a block that the CPU reads.
struct PackOutput {
  const void* source = nullptr;  // device memory, [bucket, elements]
  std::byte* target = nullptr;   // as the device sees it: [rows, elements]
  uint32_t elements = 0;         // of one row
  Conversion conversion = Conversion::kCopy4;
};

// Which output's rows the exit score is computed from; that output is, or becomes, FP32.
struct ScoreRule {
  ExitScore score = ExitScore::kNone;
  int output = 0;           // index into the outputs
  float* target = nullptr;  // [rows]
};

// Converts the first `rows` rows of every output and scores each row as ExitScoreOf() does, in
// FP32.
cudaError_t LaunchPackAndScore(std::span<const PackOutput> outputs, const ScoreRule& rule, int rows,
                               cudaStream_t stream);

}  // namespace escan
