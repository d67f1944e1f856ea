#include "simulation/device_model.h"

#include <algorithm>
#include <cmath>

namespace escan {

void DeviceModel::Start(WorkerId worker, Seconds step, Seconds device_time, TimePoint now) {
  Proceed(now);
  const double load = device_time / step;
  running_.push_back(
      {.worker = worker, .load = load, .end = progress_ + step.count() / Stretch(load)});
  Refresh();
}

WorkerId DeviceModel::FinishNext() {
  Proceed(next_finish_);
  const auto first = std::ranges::min_element(running_, {}, &Step::end);
  const WorkerId worker = first->worker;
  running_.erase(first);
  if (running_.empty()) progress_ = 0;  // small numbers stay exact
  Refresh();
  return worker;
}

double DeviceModel::Stretch(double load) const {
  return std::pow(1 + std::pow(load, knee_), 1 / knee_);
}

void DeviceModel::Proceed(TimePoint now) {
  if (!running_.empty()) progress_ += Seconds(now - proceeded_to_).count() / stretch_;
  proceeded_to_ = now;
}

void DeviceModel::Refresh() {
  next_finish_ = TimePoint::max();
  if (running_.empty()) return;
  double load = 0;
  for (const Step& step : running_) load += step.load;
  stretch_ = Stretch(load);
  const double end = std::ranges::min_element(running_, {}, &Step::end)->end;
  const Seconds left(std::max((end - progress_) * stretch_, 0.0));
  next_finish_ = proceeded_to_ + std::chrono::round<Duration>(left);
}

}  // namespace escan
