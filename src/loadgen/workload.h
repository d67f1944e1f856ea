#pragma once

#include <cstdint>
#include <optional>

#include "contracts/mutex.h"
#include "escan/time.h"
#include "loadgen/exit_schedule.h"

namespace escan::loadgen {

// How the samples are cut into requests.
struct RowChunks {
  int64_t total_rows = 1;
  int rows_per_request = 1;  // at most total_rows
  bool keep_last = false;    // a last request with fewer rows, rather than leaving its rows out

  int64_t count() const;
};

// So many measured requests that failed, were not sent or took longer than a latency.
struct MissLimit {
  Duration latency{};
  int64_t misses = 0;
};

// How long the load lasts.
struct LoadLimits {
  // Requests before the measurement, which are sent but not counted.
  Duration warmup{};
  int64_t warmup_requests = 0;

  // The measurement ends at whichever comes first; `duration` or `requests` is set.
  std::optional<Duration> duration;
  std::optional<int64_t> requests;
  std::optional<MissLimit> misses;
};

// One request to send.
struct Ticket {
  int64_t first_row = 0;
  int rows = 0;
  bool measured = false;
  bool first_measured = false;
  int64_t request = 0;   // counts all requests of the run, from 0
  Duration due{};        // since the measurement began; zero during the warm-up
  int exit_segment = 0;  // that holds at its time; the first during the warm-up
};

// Deals out the requests of a run: the warm-up, then the measurement, each from the first sample on
// and round again. Reads no clock. Any thread may call it.
class Workload {
 public:
  Workload(const RowChunks& chunks, const LoadLimits& limits, const ExitSchedule& exits = {});

  // The request that is due `at` after the start of the run; nullopt when the run is over.
  std::optional<Ticket> Take(Duration at) ESCAN_EXCLUDES(mutex_);

  // Ends the run `at` after its start: every later Take() answers nullopt.
  void Stop(Duration at) ESCAN_EXCLUDES(mutex_);

  // When the measurement began; nullopt as long as it has not.
  std::optional<Duration> measurement_start() const ESCAN_EXCLUDES(mutex_);

  // The span of the requests taken for the measurement: up to its duration's end if that was
  // reached, else up to the time at which the run was found to be over.
  Duration measured_span() const ESCAN_EXCLUDES(mutex_);

  // True when Stop() came before the run's own end.
  bool stopped_early() const ESCAN_EXCLUDES(mutex_);

 private:
  bool InWarmup(Duration at) const ESCAN_REQUIRES(mutex_);
  Ticket Chunk(int64_t number) const;

  const RowChunks chunks_;
  const int64_t chunk_count_;
  const LoadLimits limits_;
  const ExitSchedule exits_;

  mutable Mutex mutex_;
  int64_t warmup_taken_ ESCAN_GUARDED_BY(mutex_) = 0;
  int64_t taken_ ESCAN_GUARDED_BY(mutex_) = 0;
  Duration last_ ESCAN_GUARDED_BY(mutex_){};
  std::optional<Duration> start_ ESCAN_GUARDED_BY(mutex_);
  bool over_ ESCAN_GUARDED_BY(mutex_) = false;
  bool stopped_early_ ESCAN_GUARDED_BY(mutex_) = false;
};

}  // namespace escan::loadgen
