#include "server/protocol/request_counters.h"

#include <algorithm>

namespace escan {
namespace {

uint64_t Load(const std::atomic<uint64_t>& counter) {
  return counter.load(std::memory_order_relaxed);
}

Duration LoadDuration(const std::atomic<uint64_t>& counter) {
  return Duration(static_cast<Duration::rep>(Load(counter)));
}

}  // namespace

void RequestCounters::CountAnswered(const Times& times, int rows, TimePoint now) {
  Add(requests_[static_cast<size_t>(absl::StatusCode::kOk)], 1);
  Add(rows_, static_cast<uint64_t>(rows));
  Add(total_ns_, times.total);
  Add(input_ns_, times.input);
  Add(engine_ns_, times.engine);
  Add(output_ns_, times.output);
  const auto bound =
      std::lower_bound(kLatencyBounds.begin(), kLatencyBounds.end(), Seconds(times.total).count());
  Add(latency_[static_cast<size_t>(bound - kLatencyBounds.begin())], 1);
  last_ns_.store(static_cast<uint64_t>(now.time_since_epoch().count()), std::memory_order_relaxed);
}

void RequestCounters::CountFailed(absl::StatusCode code, Duration total) {
  Add(requests_[static_cast<size_t>(code)], 1);
  Add(failed_ns_, total);
}

RequestCounters::Snapshot RequestCounters::Read() const {
  Snapshot snapshot;
  for (size_t i = 0; i < kCodes; ++i) snapshot.requests[i] = Load(requests_[i]);
  snapshot.rows = Load(rows_);
  snapshot.answered = {.total = LoadDuration(total_ns_),
                       .input = LoadDuration(input_ns_),
                       .engine = LoadDuration(engine_ns_),
                       .output = LoadDuration(output_ns_)};
  snapshot.failed = LoadDuration(failed_ns_);
  for (size_t i = 0; i < latency_.size(); ++i) snapshot.latency.counts[i] = Load(latency_[i]);
  snapshot.latency.sum = Seconds(snapshot.answered.total).count();
  snapshot.last = TimePoint(LoadDuration(last_ns_));
  return snapshot;
}

}  // namespace escan
