#pragma once

#include <vector>

#include "escan/ids.h"
#include "escan/time.h"

namespace escan {

// The steps that run at the same time on one device, and how they slow each other: docs/design.md,
// section 7. A step that takes the time t alone, w of it the device's, puts the load d = w / t on
// the device. With D the sum over all running steps and p the knee, each of them runs slower than
// alone by the factor
//   (1 + D^p - d^p)^(1/p):
// not at all when it is alone, and so that many equal steps finish one in w. Loads change at every
// start and end of a step, and the speeds of all steps with them.
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
    double left;      // seconds that are left of it, alone
    double slowdown;  // at the moment

    double seconds_to_end() const { return left * slowdown; }
  };

  // Brings what is left of all steps up to `now`.
  void Proceed(TimePoint now);
  // After any start or end of a step.
  void Refresh();

  const double knee_;
  std::vector<Step> running_;  // in the order in which they were started
  TimePoint proceeded_to_;
  TimePoint next_finish_ = TimePoint::max();
};

}  // namespace escan
