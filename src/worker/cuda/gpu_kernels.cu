#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>

#include "worker/cuda/gpu_kernels.h"

namespace escan {
namespace {

// So many tensors go with one launch: a kernel's parameters have room for little more than 4 KB.
constexpr size_t kMaxTensors = 8;
constexpr uint32_t kWarp = 32;

// Gathering. A tile is what a warp copies at once, each lane with kUnroll loads on their way. 32
// blocks of 8 warps keep up to 512 KB on their way over PCIe, several times what its latency takes,
// and leave most multiprocessors to the model that computes the batch before.
constexpr uint32_t kUnroll = 4;
constexpr uint32_t kTileWords = kWarp * kUnroll;
constexpr uint32_t kGatherThreads = 256;
constexpr uint32_t kGatherBlocks = 32;

struct GatherPart {
  size_t offset;
  std::byte* target;
  uint32_t row_bytes;
  uint32_t word_bytes;  // 16, 4 or 1: what every row's begin and length are multiples of
  uint32_t tiles_per_row;
  uint32_t first_tile;
};

struct GatherArguments {
  DeviceSlots from;
  GatherPart parts[kMaxTensors];
  uint32_t part_count;
  uint32_t tiles;
  uint32_t rows;
  SlotId slots[kMaxBatchRows];
};

template <typename Word>
__device__ void CopyTile(const std::byte* source, std::byte* target, uint32_t words, bool zero) {
  const auto* from = reinterpret_cast<const Word*>(source);
  auto* to = reinterpret_cast<Word*>(target);
  const uint32_t lane = threadIdx.x % kWarp;
  Word values[kUnroll];
#pragma unroll
  for (uint32_t k = 0; k < kUnroll; ++k) {
    const uint32_t word = lane + k * kWarp;
    values[k] = word < words && !zero ? from[word] : Word{};
  }
#pragma unroll
  for (uint32_t k = 0; k < kUnroll; ++k) {
    const uint32_t word = lane + k * kWarp;
    if (word < words) to[word] = values[k];
  }
}

__global__ void __launch_bounds__(kGatherThreads)
    Gather(const __grid_constant__ GatherArguments arguments) {
  const uint32_t warps = gridDim.x * (kGatherThreads / kWarp);
  uint32_t tile = blockIdx.x * (kGatherThreads / kWarp) + threadIdx.x / kWarp;
  for (; tile < arguments.tiles; tile += warps) {
    uint32_t i = 0;
    while (i + 1 < arguments.part_count && tile >= arguments.parts[i + 1].first_tile) ++i;
    const GatherPart& part = arguments.parts[i];
    const uint32_t row = (tile - part.first_tile) / part.tiles_per_row;
    const uint32_t in_row = (tile - part.first_tile) % part.tiles_per_row;
    const uint32_t begin = in_row * kTileWords * part.word_bytes;
    const uint32_t bytes = min(kTileWords * part.word_bytes, part.row_bytes - begin);
    const bool zero = row >= arguments.rows;
    const size_t slot = zero ? 0 : arguments.slots[row];
    const std::byte* source =
        arguments.from.base + slot * arguments.from.stride + part.offset + begin;
    std::byte* target = part.target + static_cast<size_t>(row) * part.row_bytes + begin;
    if (part.word_bytes == 16) {
      CopyTile<uint4>(source, target, bytes / 16, zero);
    } else if (part.word_bytes == 4) {
      CopyTile<uint32_t>(source, target, bytes / 4, zero);
    } else {
      CopyTile<uint8_t>(source, target, bytes, zero);
    }
  }
}

uint32_t WordBytes(const GatherInput& input) {
  const auto alignment = input.row_bytes | reinterpret_cast<uintptr_t>(input.target) | input.offset;
  return alignment % 16 == 0 ? 16 : alignment % 4 == 0 ? 4 : 1;
}

cudaError_t LaunchGatherPart(GatherArguments& arguments, uint32_t bucket,
                             std::span<const GatherInput> inputs, cudaStream_t stream) {
  arguments.part_count = static_cast<uint32_t>(inputs.size());
  arguments.tiles = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const uint32_t word_bytes = WordBytes(inputs[i]);
    const uint32_t tile_bytes = kTileWords * word_bytes;
    const uint32_t tiles_per_row = (inputs[i].row_bytes + tile_bytes - 1) / tile_bytes;
    arguments.parts[i] = {.offset = inputs[i].offset,
                          .target = inputs[i].target,
                          .row_bytes = inputs[i].row_bytes,
                          .word_bytes = word_bytes,
                          .tiles_per_row = tiles_per_row,
                          .first_tile = arguments.tiles};
    arguments.tiles += bucket * tiles_per_row;
  }
  constexpr uint32_t kWarps = kGatherThreads / kWarp;
  const uint32_t blocks = std::min(kGatherBlocks, (arguments.tiles + kWarps - 1) / kWarps);
  void* pointers[] = {&arguments};
  return cudaLaunchKernel(reinterpret_cast<const void*>(&Gather), dim3(blocks),
                          dim3(kGatherThreads), pointers, 0, stream);
}

// Packing. A row belongs to a column of blocks; the first of them also scores it.
constexpr uint32_t kPackThreads = 128;
constexpr uint32_t kPackWarps = kPackThreads / kWarp;
constexpr uint32_t kElementsPerBlock = 4096;
constexpr uint32_t kMaxBlocksPerRow = 16;

struct PackArguments {
  PackOutput outputs[kMaxTensors];
  uint32_t output_count;
  bool scores;  // this launch scores the rows
  ScoreRule rule;
};

__device__ float ToFloat(const PackOutput& output, size_t element) {
  switch (output.conversion) {
    case Conversion::kFp16ToFp32:
      return __half2float(static_cast<const __half*>(output.source)[element]);
    case Conversion::kBf16ToFp32:
    case Conversion::kBf16ToFp16:
      return __bfloat162float(static_cast<const __nv_bfloat16*>(output.source)[element]);
    default:
      return static_cast<const float*>(output.source)[element];
  }
}

template <typename Word>
__device__ void CopyRow(const PackOutput& output, size_t row, uint32_t first, uint32_t step) {
  const Word* from = static_cast<const Word*>(output.source) + row * output.elements;
  Word* to = reinterpret_cast<Word*>(output.target) + row * output.elements;
  for (uint32_t i = first; i < output.elements; i += step) to[i] = from[i];
}

template <typename Target>
__device__ void ConvertRow(const PackOutput& output, size_t row, uint32_t first, uint32_t step) {
  const size_t begin = row * output.elements;
  Target* to = reinterpret_cast<Target*>(output.target) + begin;
  for (uint32_t i = first; i < output.elements; i += step) {
    to[i] = static_cast<Target>(ToFloat(output, begin + i));
  }
}

__device__ void PackRow(const PackOutput& output, size_t row, uint32_t first, uint32_t step) {
  switch (output.conversion) {
    case Conversion::kCopy1:
      return CopyRow<uint8_t>(output, row, first, step);
    case Conversion::kCopy2:
      return CopyRow<uint16_t>(output, row, first, step);
    case Conversion::kCopy4:
      return CopyRow<uint32_t>(output, row, first, step);
    case Conversion::kCopy8:
      return CopyRow<uint64_t>(output, row, first, step);
    case Conversion::kFp16ToFp32:
    case Conversion::kBf16ToFp32:
      return ConvertRow<float>(output, row, first, step);
    case Conversion::kFp32ToFp16:
    case Conversion::kBf16ToFp16:
      return ConvertRow<__half>(output, row, first, step);
  }
}

// What the scores are made of, of some of a row's values.
struct Confidence {
  float largest;
  float second;
  float entropy;

  __device__ void Add(float x) {
    second = fmaxf(second, fminf(largest, x));
    largest = fmaxf(largest, x);
    if (x > 0) entropy -= x * logf(x);
  }
  __device__ void Add(const Confidence& other) {
    second = fmaxf(fmaxf(second, other.second), fminf(largest, other.largest));
    largest = fmaxf(largest, other.largest);
    entropy += other.entropy;
  }
};

// The block's threads together; the result is thread 0's.
__device__ float ProbabilityScore(const PackOutput& output, ExitScore score, size_t row) {
  __shared__ Confidence of_warp[kPackWarps];
  Confidence mine = {};
  bool is_probability = true;
  for (uint32_t i = threadIdx.x; i < output.elements; i += kPackThreads) {
    const float x = ToFloat(output, row * output.elements + i);
    is_probability = is_probability && isfinite(x) && x >= 0;
    mine.Add(x);
  }
  for (uint32_t distance = kWarp / 2; distance > 0; distance /= 2) {
    mine.Add(Confidence{__shfl_down_sync(~0u, mine.largest, distance),
                        __shfl_down_sync(~0u, mine.second, distance),
                        __shfl_down_sync(~0u, mine.entropy, distance)});
  }
  if (threadIdx.x % kWarp == 0) of_warp[threadIdx.x / kWarp] = mine;
  if (!__syncthreads_and(is_probability)) return nanf("");
  Confidence all = of_warp[0];
  for (uint32_t warp = 1; warp < kPackWarps; ++warp) all.Add(of_warp[warp]);
  if (score == ExitScore::kMaxProbability) return all.largest;
  if (score == ExitScore::kMargin) return all.largest - all.second;
  return output.elements == 1 ? 1.0f : 1 - all.entropy / logf(output.elements);
}

__device__ void ScoreRow(const PackArguments& arguments, size_t row) {
  const ScoreRule& rule = arguments.rule;
  float score = nanf("");
  if (rule.score != ExitScore::kNone) {
    const PackOutput& output = arguments.outputs[rule.output];
    score = rule.score == ExitScore::kOutput ? ToFloat(output, row * output.elements)
                                             : ProbabilityScore(output, rule.score, row);
  }
  if (threadIdx.x == 0) rule.target[row] = score;
}

__global__ void __launch_bounds__(kPackThreads)
    PackAndScore(const __grid_constant__ PackArguments arguments) {
  const size_t row = blockIdx.x;
  for (uint32_t i = 0; i < arguments.output_count; ++i) {
    PackRow(arguments.outputs[i], row, blockIdx.y * kPackThreads + threadIdx.x,
            gridDim.y * kPackThreads);
  }
  if (arguments.scores && blockIdx.y == 0) ScoreRow(arguments, row);
}

}  // namespace

cudaError_t LaunchGather(const DeviceSlots& from, std::span<const SlotId> slots, int bucket,
                         std::span<const GatherInput> inputs, cudaStream_t stream) {
  GatherArguments arguments;
  arguments.from = from;
  arguments.rows = static_cast<uint32_t>(slots.size());
  std::copy(slots.begin(), slots.end(), arguments.slots);
  for (size_t i = 0; i < inputs.size(); i += kMaxTensors) {
    const auto part = inputs.subspan(i, std::min(kMaxTensors, inputs.size() - i));
    const cudaError_t error =
        LaunchGatherPart(arguments, static_cast<uint32_t>(bucket), part, stream);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

cudaError_t LaunchPackAndScore(std::span<const PackOutput> outputs, const ScoreRule& rule, int rows,
                               cudaStream_t stream) {
  for (size_t i = 0; i < outputs.size(); i += kMaxTensors) {
    const auto part = outputs.subspan(i, std::min(kMaxTensors, outputs.size() - i));
    PackArguments arguments;
    std::copy(part.begin(), part.end(), arguments.outputs);
    arguments.output_count = static_cast<uint32_t>(part.size());
    const auto scored = static_cast<size_t>(rule.output);
    arguments.scores = i <= scored && scored < i + part.size();
    arguments.rule = rule;
    arguments.rule.output = static_cast<int>(scored - i);
    uint32_t most = 0;
    for (const PackOutput& output : part) most = std::max(most, output.elements);
    const uint32_t blocks_per_row =
        std::clamp((most + kElementsPerBlock - 1) / kElementsPerBlock, 1u, kMaxBlocksPerRow);
    void* pointers[] = {&arguments};
    const cudaError_t error = cudaLaunchKernel(reinterpret_cast<const void*>(&PackAndScore),
                                               dim3(static_cast<uint32_t>(rows), blocks_per_row),
                                               dim3(kPackThreads), pointers, 0, stream);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

}  // namespace escan
