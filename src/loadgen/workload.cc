#include "loadgen/workload.h"

#include <algorithm>

namespace escan::loadgen {

int64_t RowChunks::count() const {
  const int64_t whole = total_rows / rows_per_request;
  return keep_last && total_rows % rows_per_request != 0 ? whole + 1 : whole;
}

Workload::Workload(const RowChunks& chunks, const LoadLimits& limits, const ExitSchedule& exits)
    : chunks_(chunks), chunk_count_(chunks.count()), limits_(limits), exits_(exits) {}

bool Workload::InWarmup(Duration at) const {
  return !start_ && (warmup_taken_ < limits_.warmup_requests || at < limits_.warmup);
}

Ticket Workload::Chunk(int64_t number) const {
  const int64_t first = number % chunk_count_ * chunks_.rows_per_request;
  const int64_t rows = std::min<int64_t>(chunks_.rows_per_request, chunks_.total_rows - first);
  return {.first_row = first, .rows = static_cast<int>(rows)};
}

std::optional<Ticket> Workload::Take(Duration at) {
  MutexLock lock(mutex_);
  if (over_) return std::nullopt;
  if (InWarmup(at)) {
    Ticket ticket = Chunk(warmup_taken_);
    ticket.request = warmup_taken_++;
    return ticket;
  }

  // Threads of a closed loop may come with slightly older times than those before them.
  last_ = std::max(last_, at);
  if (!start_) start_ = limits_.warmup > Duration::zero() ? limits_.warmup : at;
  if (limits_.duration && at - *start_ >= *limits_.duration) {
    last_ = *start_ + *limits_.duration;
    over_ = true;
  } else if (limits_.requests && taken_ >= *limits_.requests) {
    over_ = true;
  }
  if (over_) return std::nullopt;
  Ticket ticket = Chunk(taken_);
  ticket.measured = true;
  ticket.first_measured = taken_ == 0;
  ticket.request = warmup_taken_ + taken_;
  ticket.due = at - *start_;
  ticket.exit_segment = exits_.SegmentAt(ticket.due);
  ++taken_;
  return ticket;
}

void Workload::Stop(Duration at) {
  MutexLock lock(mutex_);
  if (over_) return;
  over_ = true;
  stopped_early_ = true;
  // The last request taken may be due later than now.
  if (start_) last_ = std::max(*start_, at);
}

std::optional<Duration> Workload::measurement_start() const {
  MutexLock lock(mutex_);
  return start_;
}

Duration Workload::measured_span() const {
  MutexLock lock(mutex_);
  return start_ ? last_ - *start_ : Duration::zero();
}

bool Workload::stopped_early() const {
  MutexLock lock(mutex_);
  return stopped_early_;
}

}  // namespace escan::loadgen
