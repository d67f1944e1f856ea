#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "escan/cascade.h"

namespace escan {

// What becomes of the code of a frozen module.
enum class Rewriting {
  kNone,
  kOptimized,  // torch::jit::optimize_for_inference
  kFused,      // FuseConvolutions() before that
};

// One way to run a module on a GPU; which is the fastest has to be tried.
struct GpuVariant {
  Rewriting rewriting = Rewriting::kNone;
  bool channels_last = false;  // order of the weights of convolutions
  bool benchmark = false;      // cuDNN measures its algorithms, else it guesses

  friend bool operator==(const GpuVariant&, const GpuVariant&) = default;
};

// "frozen", "fused+channels_last+benchmark".
std::string Name(const GpuVariant& variant);
std::optional<GpuVariant> ParseGpuVariant(std::string_view name);

// The variants to try for a stage of this layout, the surest first; `has_convolutions`: the module
// has weights whose order there is a choice about. Benchmarking is tried later, for the fastest.
std::vector<GpuVariant> GpuCandidates(MemoryLayout layout, bool has_convolutions);

// Seconds of a step with the smallest and with the largest bucket.
struct StepTimes {
  double smallest = 0;
  double largest = 0;
};

// Index of the fastest over both buckets, each weighed by its time in the first variant that
// worked; variants that did not work have no times. nullopt when none worked.
std::optional<size_t> Fastest(const std::vector<std::optional<StepTimes>>& times);

// Benchmarking takes time at every start without a cache, so it has to pay: by 3 % at least.
bool BenchmarkPays(const StepTimes& without, const StepTimes& with);

}  // namespace escan
