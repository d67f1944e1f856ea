#include "simulation/arrival_source.h"

#include <algorithm>

namespace escan {

ArrivalSource::ArrivalSource(const SimulatedLoad& load, int64_t requests, TimePoint start)
    : start_(start), left_(requests) {
  if (const auto* open = std::get_if<OpenLoad>(&load.pace)) {
    schedule_.emplace(open->arrivals, open->rate, load.seed);
    next_scheduled_ = start_ + schedule_->Next();
  } else {
    const int64_t clients = std::get<ClosedLoad>(load.pace).concurrency;
    for (int64_t i = 0; i < std::min(clients, requests); ++i) clients_.push(start_);
  }
}

TimePoint ArrivalSource::Next() const {
  if (left_ == 0) return TimePoint::max();
  if (schedule_) return next_scheduled_;
  return clients_.empty() ? TimePoint::max() : clients_.top();
}

void ArrivalSource::Take() {
  --left_;
  if (schedule_) {
    next_scheduled_ = start_ + schedule_->Next();
  } else {
    clients_.pop();
  }
}

void ArrivalSource::Answered(bool served, TimePoint now) {
  if (!schedule_) clients_.push(served ? now : now + kBackOff);
}

}  // namespace escan
