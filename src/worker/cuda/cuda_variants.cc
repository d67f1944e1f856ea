#include "worker/cuda/cuda_variants.h"

#include <c10/cuda/CUDACachingAllocator.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "escan/time.h"
#include "worker/cuda/cuda_module.h"
#include "worker/cuda/gpu_status.h"
#include "worker/loop/stage_tensors.h"
#include "worker/torch/thread_of_its_own.h"
#include "worker/torch/torch_variants.h"

namespace escan {
namespace {

// A time is that of the fastest of so many rounds, fewer where they take longer than this together.
// Each round waits once for several runs, so that waiting counts little.
constexpr int kRounds = 4;
constexpr int kRunsPerRound = 5;
constexpr Duration kRoundsLimit = std::chrono::milliseconds(150);

absl::StatusOr<double> SecondsPerRun(const std::function<absl::Status()>& run,
                                     cudaStream_t stream) {
  double fastest = std::numeric_limits<double>::max();
  const TimePoint first = Clock::now();
  for (int round = 0; round < kRounds; ++round) {
    const TimePoint start = Clock::now();
    for (int i = 0; i < kRunsPerRound; ++i) {
      if (const absl::Status status = run(); !status.ok()) return status;
    }
    const cudaError_t error = cudaStreamSynchronize(stream);
    if (error != cudaSuccess) return GpuStatus(error, "time a variant");
    const TimePoint end = Clock::now();
    fastest = std::min(fastest, std::chrono::duration<double>(end - start).count() / kRunsPerRound);
    if (end - first > kRoundsLimit) break;
  }
  return fastest;
}

// Times a variant at one bucket, captured or not.
absl::StatusOr<double> TimeBucket(const CudaModule& module, std::byte* inputs, int rows, bool graph,
                                  const GraphPool& pool, cudaStream_t stream) {
  if (!graph) {
    if (const absl::Status status = WarmUp(module, inputs, rows, stream); !status.ok()) {
      return status;
    }
    return SecondsPerRun([&] { return module.Forward(inputs, rows).status(); }, stream);
  }
  const absl::StatusOr<CapturedBucket> bucket = CaptureBucket(module, inputs, rows, pool, stream);
  if (!bucket.ok()) return bucket.status();
  return SecondsPerRun([&] { return GpuStatus(bucket->graph.Launch(stream), "launch a graph"); },
                       stream);
}

class Trial {
 public:
  Trial(const WorkerStage& stage, GpuSource& source, std::byte* inputs,
        c10::cuda::CUDAStream stream)
      : stage_(stage), source_(source), inputs_(inputs), stream_(stream) {}

  // At the smallest and the largest bucket.
  absl::StatusOr<StepTimes> Time(const GpuVariant& variant, bool graph) const {
    const absl::StatusOr<std::vector<double>> times =
        Time(variant, {}, {LargestBucket(stage_), SmallestBucket(stage_)}, graph);
    if (!times.ok()) return times.status();
    return StepTimes{.smallest = times->back(), .largest = times->front()};
  }

  // Seconds of a step at each of the buckets, which begin with the largest.
  absl::StatusOr<std::vector<double>> Time(const GpuVariant& variant,
                                           const std::vector<int>& benchmarked,
                                           const std::vector<int>& buckets, bool graph) const {
    absl::StatusOr<std::vector<double>> times;
    OnThreadOfItsOwn(stream_, [&] { times = TimeHere(variant, benchmarked, buckets, graph); });
    c10::cuda::CUDACachingAllocator::emptyCache();
    return times;
  }

 private:
  absl::StatusOr<std::vector<double>> TimeHere(const GpuVariant& variant,
                                               const std::vector<int>& benchmarked,
                                               const std::vector<int>& buckets, bool graph) const {
    return CatchTorchErrors([&]() -> absl::StatusOr<std::vector<double>> {
      const absl::StatusOr<CudaModule> module =
          CudaModule::Make(stage_, source_, {.variant = variant, .benchmarked = benchmarked});
      if (!module.ok()) return WithGpuCause(module.status(), stream_);
      const GraphPool pool;
      std::vector<double> times;
      for (const int rows : buckets) {
        const absl::StatusOr<double> seconds =
            TimeBucket(*module, inputs_, rows, graph, pool, stream_);
        if (!seconds.ok()) return seconds.status();
        times.push_back(*seconds);
      }
      return times;
    });
  }

  const WorkerStage& stage_;
  GpuSource& source_;
  std::byte* const inputs_;
  const c10::cuda::CUDAStream stream_;
};

absl::StatusOr<GpuChoice> TryBenchmarking(const Trial& trial, const WorkerStage& stage,
                                          GpuChoice choice) {
  const std::vector<int> buckets(stage.buckets.rbegin(), stage.buckets.rend());
  const auto time = [&](const std::vector<int>& benchmarked) {
    return trial.Time(choice.variant, benchmarked, buckets, choice.graph);
  };
  absl::StatusOr<std::vector<double>> guessed = time({});
  if (!guessed.ok()) return guessed.status();
  const absl::StatusOr<std::vector<double>> measured = time(buckets);
  if (absl::IsAborted(measured.status())) return measured.status();
  if (!measured.ok() || WorthBenchmarking(buckets, *guessed, *measured).empty()) return choice;
  // Every start would pay for it, and other processes may have disturbed the first: once more.
  const absl::StatusOr<std::vector<double>> again = time({});
  if (!again.ok()) return again.status();
  std::ranges::transform(*guessed, *again, guessed->begin(),
                         [](double a, double b) { return std::min(a, b); });
  choice.benchmarked = WorthBenchmarking(buckets, *guessed, *measured);
  return choice;
}

}  // namespace

absl::StatusOr<GpuChoice> ChooseVariant(const WorkerStage& stage, GpuSource& source,
                                        std::byte* inputs, c10::cuda::CUDAStream stream) {
  const Trial trial(stage, source, inputs, stream);
  const std::vector<GpuVariant> candidates = GpuCandidates(stage.gpu.layout, source.traits());
  GpuChoice choice{.graph = stage.gpu.execution != Execution::kEager};

  absl::StatusOr<StepTimes> surest = trial.Time(candidates.front(), choice.graph);
  if (absl::IsFailedPrecondition(surest.status()) && stage.gpu.execution == Execution::kAuto) {
    choice.graph = false;
    choice.eager_reason = std::string(surest.status().message());
    surest = trial.Time(candidates.front(), choice.graph);
  }
  if (!surest.ok()) return surest.status();

  std::vector<std::optional<StepTimes>> times = {*surest};
  for (size_t i = 1; i < candidates.size(); ++i) {
    const absl::StatusOr<StepTimes> timed = trial.Time(candidates[i], choice.graph);
    if (absl::IsAborted(timed.status())) return timed.status();
    // What does not work is left out; the first does.
    times.push_back(timed.ok() ? std::optional(*timed) : std::nullopt);
  }
  choice.variant = candidates[*Fastest(times)];
  if (source.traits().has_convolutions) return TryBenchmarking(trial, stage, std::move(choice));
  return choice;
}

}  // namespace escan
