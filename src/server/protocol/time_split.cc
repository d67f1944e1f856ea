#include "server/protocol/time_split.h"

namespace escan {

TimeSplit::Sums TimeSplit::Update(Duration engine, Duration sample_queue, Duration sample_compute) {
  MutexLock lock(mutex_);
  const auto queued = static_cast<double>((sample_queue - sample_queue_).count());
  const auto computed = static_cast<double>((sample_compute - sample_compute_).count());
  // Two readers may arrive in another order than that in which they read.
  if (engine > engine_ && queued >= 0 && computed >= 0 && queued + computed > 0) {
    const Duration stretch = engine - engine_;
    const auto queue = Duration(static_cast<Duration::rep>(static_cast<double>(stretch.count()) *
                                                           queued / (queued + computed)));
    sums_.queue += queue;
    sums_.compute += stretch - queue;
    engine_ = engine;
    sample_queue_ = sample_queue;
    sample_compute_ = sample_compute;
  }
  return sums_;
}

}  // namespace escan
