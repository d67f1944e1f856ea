#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "escan/cascade.h"
#include "escan/verdict.h"
#include "worker/cuda/gpu_variant.h"

namespace escan {

// How cuBLAS is to compute products of matrices.
struct BlasPlan {
  bool cublaslt = false;  // through cuBLASLt where there is a choice
  // Kernels are planned for so many multiprocessors; 0: for all that the process sees. Some
  // versions of cuBLAS answer wrongly in FP16 for certain numbers of them (docs/verification.md).
  int multiprocessors = 0;

  friend bool operator==(const BlasPlan&, const BlasPlan&) = default;
};

// How a stage runs on a GPU, and what is known of its answers.
struct GpuChoice {
  GpuVariant variant;
  std::vector<int> benchmarked;  // WorthBenchmarking()
  bool graph = true;             // false: eager
  std::string eager_reason;      // why the model cannot be captured, where that is so
  BlasPlan blas;
  bool cudnn = true;  // convolutions through cuDNN
  bool fp32 = false;  // though the configuration says FP16

  Verdict verdict = Verdict::kUnknown;
  std::string wrong;  // what is wrong with its answers, or was with those of the fastest choice

  friend bool operator==(const GpuChoice&, const GpuChoice&) = default;
};

// "fused+channels_last", "frozen, cuBLAS for 32 multiprocessors, eager": what differs from the
// usual.
std::string Describe(const GpuChoice& choice);

// What remedies depend on beside the choice that answers wrongly.
struct RemedyContext {
  int multiprocessors = 0;  // that the process sees
  ModelTraits traits;
  std::vector<int> buckets;
  GpuOptions options;
};

// Other choices to try in place of one that answers wrongly, in tiers: the fastest right one of the
// first tier that has one is to be taken. cuBLAS planning for fewer multiprocessors; cuBLASLt;
// other variants; other algorithms of cuDNN, or none of it; eager; FP32 where the options allow it.
std::vector<std::vector<GpuChoice>> Remedies(const GpuChoice& wrong, const RemedyContext& context);

// What finding a right choice does with a stage on a GPU.
class ChoiceTrials {
 public:
  virtual ~ChoiceTrials() = default;

  // Prepares the stage so. Aborted ends the search; after another error this choice is left out.
  virtual absl::Status Build(const GpuChoice& choice) = 0;
  // What is wrong with the answers of what was built last; empty: nothing.
  virtual absl::StatusOr<std::string> WhatIsWrong() = 0;
  virtual absl::StatusOr<StepTimes> Time() = 0;
  // Prepares the stage so, to stay. What is wrong with its answers then; empty: nothing. Aborted
  // ends the search.
  virtual absl::StatusOr<std::string> BuildToServe(const GpuChoice& choice) = 0;
};

// The fastest right choice of the first tier that has one; the stage is then prepared so. One that
// was right when it was tried and is wrong when it is to serve is left out. NotFound when there is
// none; ResourceExhausted when one was left out for want of memory, so that there may be one.
absl::StatusOr<GpuChoice> FindRightChoice(const std::vector<std::vector<GpuChoice>>& tiers,
                                          ChoiceTrials* trials);

}  // namespace escan
