#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "escan/cascade.h"
#include "ipc/unique_fd.h"
#include "stage_worker/gpu_variant.h"

namespace escan {

// What was found by trying how a stage runs best on a GPU.
struct GpuChoice {
  GpuVariant variant;
  std::vector<int> benchmarked;  // WorthBenchmarking()
  bool graph = true;             // false: eager
  std::string eager_reason;      // why the model cannot be captured, where that is so

  friend bool operator==(const GpuChoice&, const GpuChoice&) = default;
};

// All that a choice depends on.
struct GpuChoiceKey {
  uint64_t model_hash = 0;  // ContentHash() of the model's file
  uint64_t model_bytes = 0;
  std::string inputs;  // "UINT8 [N,4], FP32 [N,1]"
  GpuOptions options;
  std::vector<int> buckets;
  std::string device;  // "NVIDIA H100 80GB HBM3"; what is fastest on a part of it is not asked anew
  std::string libraries;  // "torch 2.11.0, CUDA 13.0, cuDNN 9.1.2"
};

// Choices of earlier starts: one small JSON file for each key in a folder that any number of
// workers share. A file is written beside its place and then renamed, so a reader sees a whole one.
// Used by one thread.
class VariantCache {
 public:
  // An empty `folder` keeps and finds nothing.
  explicit VariantCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // NotFound when there is none. InvalidArgument, naming the file and what is wrong with it, for
  // one that this class did not write for this key; the next Store() replaces it.
  absl::StatusOr<GpuChoice> Find(const GpuChoiceKey& key) const;

  // Makes the folder where there is none. The error names the file, of which nothing is left.
  absl::Status Store(const GpuChoiceKey& key, const GpuChoice& choice) const;

  // Waits until no other process tries what is best for this key; others wait while the descriptor
  // is open. Then Find() again: the other one has found it. Not a descriptor where there is no
  // folder or it cannot be locked: then all try.
  UniqueFd Reserve(const GpuChoiceKey& key) const;

  std::filesystem::path FileOf(const GpuChoiceKey& key) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace escan
