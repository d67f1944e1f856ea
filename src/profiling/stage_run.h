#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/engine.h"
#include "escan/cascade.h"
#include "escan/time.h"
#include "profiling/step_figures.h"

namespace escan {

// How long one measurement takes: after the warm-up five windows. Each lasts until the clients have
// finished a batch each, or more on average, but a whole number: clients that began together finish
// together, and part of such a round would count as more or less than it is.
struct MeasurementTimes {
  // At least, and two batches of each client; for a device's clocks to rise.
  Duration warm_up = std::chrono::milliseconds(100);
  // At least. Dozens of steps of most stages, and many times what a moment's disturbance takes, so
  // that it spoils one window; five are no longer than they must be for hundreds of measurements.
  Duration window = std::chrono::milliseconds(50);
  // At most, of the warm-up and of all windows, for stages whose steps take seconds.
  Duration most = std::chrono::seconds(5);
};

// The slots that clients of the only stage of a cascade are measured with: the cascade's, as a
// daemon has them, since rows are gathered more slowly from many slots than from few. More where
// the clients need more to be kept busy with the largest batches; no more than the slab holds.
// InvalidArgument when that is less than one batch.
absl::StatusOr<int> SlotsFor(CascadeSpec cascade, int clients);

// The only stage of a cascade, run by equal workers ("clients") on one device as fast as they can.
// Used by one thread, but for Stop(); blocks where it says so.
class StageRun {
 public:
  // Starts `clients` workers, with `thread_percent` of the engine's first device each, and returns
  // without waiting for them. InvalidArgument when a sample is so large that no batch finds room.
  static absl::StatusOr<std::unique_ptr<StageRun>> Start(CascadeSpec cascade, int thread_percent,
                                                         int clients, const EngineOptions& options);

  // From now on `clients` workers, at most those of Start(), run batches of exactly `rows` rows.
  // Blocks until they are ready. DataLoss when one answers wrongly, FailedPrecondition when one
  // could not be started for another reason.
  absl::Status Set(int clients, int rows);

  // Runs batches and counts their steps: with three requests for each client, so that each always
  // has a batch waiting, and all slots in turn, as under a load that fills a daemon; or one request
  // in all, in the slots that became free last, as a daemon gives them when it has little to do.
  // Blocks. The first failure of a request, Unavailable when a worker ended meanwhile, or
  // DeadlineExceeded when no batch was finished in `times.most`.
  absl::StatusOr<StepFigures> MeasureSaturated(const MeasurementTimes& times);
  absl::StatusOr<StepFigures> MeasureAlone(const MeasurementTimes& times);

  // The most that one of the workers takes of the device's memory.
  size_t WorkerMemory() const;

  // How the workers compute the stage.
  std::string Way() const;

  // Ends the workers. Who waits in another call gets Unavailable. Any thread, one at a time.
  void Stop() { engine_->Stop(); }

 private:
  class Rounds;

  StageRun(std::unique_ptr<Engine> engine, const Plan& plan);

  absl::StatusOr<StepFigures> Measure(int requests, bool rotate_slots,
                                      const MeasurementTimes& times);
  absl::StatusOr<std::vector<StepFigures>> MeasureWindows(Rounds& rounds,
                                                          const MeasurementTimes& times);
  int clients() const { return plan_.workers.front().count; }

  const std::unique_ptr<Engine> engine_;
  Plan plan_;
};

}  // namespace escan
