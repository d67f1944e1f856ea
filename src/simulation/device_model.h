#pragma once

#include <vector>

#include "escan/ids.h"
#include "escan/time.h"

namespace escan {

// The steps that run at the same time on one device, and how they slow each other: docs/design.md,
// section 7. A step that takes the time t alone, w of it the device's, puts the load d = w / t on
// the device. With D the sum over all running steps and p the knee, each of them runs slower than
// alone by the factor
//   ((1 + D^p) / (1 + d^p))^(1/p).
// Loads change at every start and end of a step, and the speeds of all steps with them.
//
// Plain code, used by one thread; time must not go backwards.
class DeviceModel {
 public:
  // `knee` is Profile::knee.
  explicit DeviceModel(double knee) : knee_(knee) {}

  // `worker`, which runs nothing here, begins a step that takes `step` alone; more than zero.
  void Start(WorkerId worker, Seconds step, Seconds device_time, TimePoint now);

  // When the first of the running steps is over, if no other one starts before; TimePoint::max()
  // when nothing runs.
  TimePoint NextFinish() const { return next_finish_; }

  // Ends that step, at that time, and answers its worker. Of steps that end together, the one that
  // was started first. Something must run.
  WorkerId FinishNext();

 private:
  struct Step {
    WorkerId worker;
    double load;
    double end;  // the progress at which it is over
  };

  // (1 + load^p)^(1/p)
  double Stretch(double load) const;
  // Brings the progress up to `now`.
  void Proceed(TimePoint now);
  // After any start or end of a step.
  void Refresh();

  const double knee_;
  std::vector<Step> running_;  // in the order in which they were started

  // A step's speed is Stretch(d) / Stretch(D): D is common to all, so that one number that grows at
  // the rate 1 / Stretch(D) tells how far each of them is. In seconds of a step without load.
  double progress_ = 0;
  double stretch_ = 1;
  TimePoint proceeded_to_;
  TimePoint next_finish_ = TimePoint::max();
};

}  // namespace escan
