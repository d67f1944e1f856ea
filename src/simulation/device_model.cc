#include "simulation/device_model.h"

#include <algorithm>
#include <cmath>

namespace escan {

void DeviceModel::Start(WorkerId worker, Seconds step, Seconds device_time, TimePoint now) {
  Proceed(now);
  running_.push_back(
      {.worker = worker, .load = device_time / step, .left = step.count(), .slowdown = 1});
  Refresh();
}

WorkerId DeviceModel::FinishNext() {
  Proceed(next_finish_);
  const auto first = std::ranges::min_element(running_, {}, &Step::seconds_to_end);
  const WorkerId worker = first->worker;
  running_.erase(first);
  Refresh();
  return worker;
}

void DeviceModel::Proceed(TimePoint now) {
  const double passed = Seconds(now - proceeded_to_).count();
  for (Step& step : running_) step.left = std::max(step.left - passed / step.slowdown, 0.0);
  proceeded_to_ = now;
}

void DeviceModel::Refresh() {
  next_finish_ = TimePoint::max();
  if (running_.empty()) return;
  double load = 0;
  for (const Step& step : running_) load += step.load;
  const double all = 1 + std::pow(load, knee_);
  for (Step& step : running_) {
    step.slowdown = std::pow(all - std::pow(step.load, knee_), 1 / knee_);
  }
  const auto first = std::ranges::min_element(running_, {}, &Step::seconds_to_end);
  next_finish_ = proceeded_to_ + std::chrono::round<Duration>(Seconds(first->seconds_to_end()));
}

}  // namespace escan
