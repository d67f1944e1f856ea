#pragma once

#include <cstddef>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/engine.h"
#include "escan/cascade.h"
#include "escan/time.h"

namespace escan {

// How long one measurement takes: after the warm-up at least `least`, and until every client has
// finished `least_batches`, but no longer than `most`.
struct MeasurementTimes {
  Duration warm_up = std::chrono::milliseconds(100);
  Duration least = std::chrono::milliseconds(300);
  Duration most = std::chrono::seconds(5);
  int least_batches = 5;
};

// Steps that were finished while something was measured.
struct StepFigures {
  double rate = 0;  // steps per second of all clients
  Seconds step{};   // mean, from dispatch to result
};

// The only stage of a cascade, run by equal workers ("clients") on one device as fast as they can.
// Used by one thread, but for Stop(); blocks where it says so.
class StageRun {
 public:
  // Starts `clients` workers, with `thread_percent` of the engine's first device each, and returns
  // without waiting for them. InvalidArgument when a sample is so large that no batch finds room.
  static absl::StatusOr<std::unique_ptr<StageRun>> Start(CascadeSpec cascade, int thread_percent,
                                                         int clients, const EngineOptions& options);

  // From now on `clients` workers, at most those of Start(), run batches of exactly `rows` rows.
  // Blocks until they are ready. FailedPrecondition when one could not be started.
  absl::Status Set(int clients, int rows);

  // Runs batches and counts their steps: with three requests for each client, so that each always
  // has a batch waiting; or one request in all. Blocks. The first failure of a request, Unavailable
  // when a worker ended meanwhile, or DeadlineExceeded when no batch was finished in `times.most`.
  absl::StatusOr<StepFigures> MeasureSaturated(const MeasurementTimes& times);
  absl::StatusOr<StepFigures> MeasureAlone(const MeasurementTimes& times);

  // The most that one of the workers takes of the device's memory.
  size_t WorkerMemory() const;

  // Ends the workers. Who waits in another call gets Unavailable. Any thread, one at a time.
  void Stop() { engine_->Stop(); }

 private:
  StageRun(std::unique_ptr<Engine> engine, const Plan& plan);

  absl::StatusOr<StepFigures> Measure(int requests, const MeasurementTimes& times);
  int clients() const { return plan_.workers.front().count; }

  const std::unique_ptr<Engine> engine_;
  Plan plan_;
};

}  // namespace escan
