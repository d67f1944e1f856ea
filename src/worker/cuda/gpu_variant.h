#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "escan/cascade.h"

namespace escan {

// What becomes of the code of a model.
enum class Rewriting {
  kNone,
  kOptimized,  // torch::jit::optimize_for_inference
  kFused,      // FuseConvolutions() before that
  kCompiled,   // none: it is machine code, of AOTInductor
};

// One way to run a module on a GPU; which is the fastest has to be tried.
struct GpuVariant {
  Rewriting rewriting = Rewriting::kNone;
  bool channels_last = false;  // order of the weights of convolutions

  friend bool operator==(const GpuVariant&, const GpuVariant&) = default;
};

// "frozen", "fused+channels_last".
std::string Name(const GpuVariant& variant);
std::optional<GpuVariant> ParseGpuVariant(std::string_view name);

// What about a model decides which ways there are to run it.
struct ModelTraits {
  bool compiled = false;          // to one variant, kCompiled
  bool has_convolutions = false;  // with weights whose order there is a choice about, or may have
};

// The variants to try for a stage of this layout, the surest first.
std::vector<GpuVariant> GpuCandidates(MemoryLayout layout, const ModelTraits& traits);

// Seconds of a step with the smallest and with the largest bucket.
struct StepTimes {
  double smallest = 0;
  double largest = 0;
};

// Index of the fastest over both buckets, each weighed by its time in the first variant that
// worked; variants that did not work have no times. nullopt when none worked.
std::optional<size_t> Fastest(const std::vector<std::optional<StepTimes>>& times);

// The buckets at which cuDNN is to choose its algorithms by measuring, not by guessing: it measures
// at every start, for some tenths of a second a bucket, so a step has to be 10 % faster at least.
// Seconds of a step, one for each bucket.
std::vector<int> WorthBenchmarking(const std::vector<int>& buckets,
                                   const std::vector<double>& guessed,
                                   const std::vector<double>& measured);

}  // namespace escan
