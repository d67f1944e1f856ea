#pragma once

#include <chrono>
#include <vector>

#include "engine/engine_status.h"
#include "escan/cascade.h"
#include "inference/grpc_service.pb.h"
#include "server/protocol/request_counters.h"
#include "server/protocol/time_split.h"

namespace escan {

// The two clocks at one moment, to tell monotonic times as dates.
struct Moment {
  TimePoint monotonic;
  std::chrono::system_clock::time_point wall;
};

// The summed queue and compute times of a cascade's samples, over all its stages.
TimeSplit::Sums SampleTimes(const EngineStatus& status);

// A cascade as one model: counts and times of requests, with `times` the engine's part split. The
// three compute counts equal the number of answered requests, as clients expect.
inference::ModelStatistics CascadeStatistics(const CascadeSpec& cascade,
                                             const RequestCounters::Snapshot& requests,
                                             const EngineStatus& status,
                                             const TimeSplit::Sums& times, const Moment& now);

// One of its stages, as the model "CASCADE/STAGE": counts and times of samples.
inference::ModelStatistics StageEntry(const CascadeSpec& cascade, int stage,
                                      const StageStatistics& statistics, const Moment& now);

}  // namespace escan
