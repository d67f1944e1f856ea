#pragma once

#include "contracts/mutex.h"
#include "escan/time.h"
#include "scheduling/arrival_estimator.h"

namespace escan {

// Counts what is asked of one engine. Owned by it; any thread; does not block.
class ArrivalMeter {
 public:
  void Count(int rows, bool refused) {
    MutexLock lock(mutex_);
    estimator_.Count(rows, refused, Clock::now());
  }
  ArrivalEstimate Estimate() {
    MutexLock lock(mutex_);
    return estimator_.Estimate(Clock::now());
  }

 private:
  Mutex mutex_;
  ArrivalEstimator estimator_ ESCAN_GUARDED_BY(mutex_){Clock::now()};
};

}  // namespace escan
