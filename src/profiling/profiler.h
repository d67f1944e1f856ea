#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config/profile_file.h"
#include "contracts/mutex.h"
#include "engine/engine.h"
#include "escan/cascade.h"
#include "profiling/measurement_log.h"
#include "profiling/stage_run.h"

namespace escan {

// The profile that the measurements of an outline make. All of the outline's points must be there.
Profile ProfileOf(const MeasuredProfile& outline, const MeasurementLog& log);

// Measures a cascade's stages, one after the other, on the first of the engine's devices: for each
// share with the greatest number of clients first, then with fewer; when all buckets of a number of
// clients are measured, those whose measurement is doubtful once more. Used by one thread, but for
// Stop().
class Profiler {
 public:
  // What is about to be measured, and how many measurements there are.
  struct Progress {
    MeasurementPoint next;
    int done = 0;
    int found = 0;  // of these, were in the log at the start
    int all = 0;
  };

  struct Options {
    EngineOptions engine;
    MeasurementTimes times;
    std::function<void(const Progress& progress)> on_progress;  // not null
  };

  // `cascade` and `log` outlive this. The log is that of `outline`.
  Profiler(const CascadeSpec& cascade, const MeasuredProfile& outline, MeasurementLog* log,
           Options options);
  ~Profiler();

  // Measures what the log does not hold yet and adds it there; blocks until all of it is. A share
  // at which a stage answers wrongly is left out and named among the refused. An error names stage
  // and share; Cancelled when it was stopped. Once.
  absl::StatusOr<Profile> Run() ESCAN_EXCLUDES(mutex_);

  // Ends Run() early and its workers with it. Any thread; blocks until the workers have ended.
  void Stop() ESCAN_EXCLUDES(mutex_);

 private:
  // The buckets of a stage at one share and number of clients, in their order.
  using Buckets = std::vector<MeasurementPoint>;

  bool IsRefused(int thread_percent) const;
  std::vector<Buckets> Unfinished(int stage, int thread_percent) const;
  // What is still to be measured for the first time, and what is to be next once more.
  Buckets Missing(const Buckets& buckets) const;
  std::optional<MeasurementPoint> Doubtful(const Buckets& buckets) const;
  absl::Status MeasureShare(const std::vector<Buckets>& unfinished) ESCAN_EXCLUDES(mutex_);
  absl::Status MeasureBuckets(StageRun& run, const Buckets& buckets);
  absl::StatusOr<Measurement> Measure(StageRun& run, const MeasurementPoint& point) const;
  // Cancelled when it was stopped before.
  absl::StatusOr<StageRun*> StartWorkers(const MeasurementPoint& greatest) ESCAN_EXCLUDES(mutex_);
  void EndWorkers() ESCAN_EXCLUDES(mutex_);

  const CascadeSpec& cascade_;
  const MeasuredProfile& outline_;
  MeasurementLog* const log_;
  const Options options_;
  Progress progress_;
  std::vector<RefusedShare> refused_;
  Mutex mutex_;
  bool stopped_ ESCAN_GUARDED_BY(mutex_) = false;
  std::unique_ptr<StageRun> run_ ESCAN_GUARDED_BY(mutex_);  // at present
};

}  // namespace escan
