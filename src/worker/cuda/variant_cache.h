#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "escan/cascade.h"
#include "ipc/unique_fd.h"
#include "worker/cuda/gpu_choice.h"
#include "worker/files/cache_folder.h"

namespace escan {

// All that a choice depends on.
struct GpuChoiceKey {
  uint64_t model_hash = 0;  // ContentHash() of the model's file
  uint64_t model_bytes = 0;
  std::string inputs;  // "UINT8 [N,4], FP32 [N,1]"
  GpuOptions options;
  std::vector<int> buckets;
  std::string device;     // "NVIDIA H100 80GB HBM3"
  std::string libraries;  // "torch 2.11.0, CUDA 13.0, cuDNN 91900, cuBLAS 130100"
  // Of the share whose answers were found right, or wrong, with this choice. 0: of the choice by
  // speed alone, which is not made anew for each share.
  int multiprocessors = 0;
  uint64_t probes = 0;  // Probes::InputsHash() of the rows that the share was checked with
};

// Choices of earlier starts, a small JSON file for each key. Used by one thread.
class VariantCache {
 public:
  explicit VariantCache(CacheFolder folder) : folder_(std::move(folder)) {}

  // NotFound when there is none. InvalidArgument, naming the file and what is wrong with it, for
  // one that this class did not write for this key; the next Store() replaces it.
  absl::StatusOr<GpuChoice> Find(const GpuChoiceKey& key) const;
  absl::Status Store(const GpuChoiceKey& key, const GpuChoice& choice) const;
  // See CacheFolder::Reserve.
  UniqueFd Reserve(const GpuChoiceKey& key) const;

  std::filesystem::path FileOf(const GpuChoiceKey& key) const;

 private:
  const CacheFolder folder_;
};

}  // namespace escan
