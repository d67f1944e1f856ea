#pragma once

#include <cstdint>

#include "contracts/mutex.h"
#include "escan/time.h"

namespace escan {

// Splits the time that requests spent inside the engine into waiting and computing. The engine
// measures both per sample, not per request, so each stretch of engine time between two readings is
// divided in the ratio of the sample times in that stretch. The sums never go back, which clients
// that subtract two readings rely on. Any thread.
class TimeSplit {
 public:
  struct Sums {
    Duration queue{};
    Duration compute{};
  };

  // All three are cumulative: engine time of requests; queue and compute time of samples.
  Sums Update(Duration engine, Duration sample_queue, Duration sample_compute);

 private:
  Mutex mutex_;
  Duration engine_ ESCAN_GUARDED_BY(mutex_){};
  Duration sample_queue_ ESCAN_GUARDED_BY(mutex_){};
  Duration sample_compute_ ESCAN_GUARDED_BY(mutex_){};
  Sums sums_ ESCAN_GUARDED_BY(mutex_);
};

}  // namespace escan
