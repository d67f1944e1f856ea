#pragma once

#include <limits>
#include <vector>

#include "allocation/linear_program.h"
#include "allocation/plan_load.h"

namespace escan {

// The part of the time that a worker can be busy: between its batches it waits for the scheduler.
inline constexpr double kMostBusy = 0.95;

// How many samples per second a plan can take, and what bounds it. Infinite: not a bound.
struct Capacity {
  double rate = 0;          // all bounds together
  double worker_bound = 0;  // if steps did not slow each other
  double device_bound = 0;  // of the device that bounds the rate most
  double felt_bound = 0;    // that, as the workers feel it that bound the rate
  double crowding = 0;      // of its clients as if they were equal, see Crowding
  double bus_bound = std::numeric_limits<double>::infinity();

  // The device's bound as equal clients feel it: infinite for a single one.
  double felt_device_bound() const { return device_bound / crowding; }
};

// How a plan's work is divided between its workers when it takes all it can.
struct WorkDivision {
  std::vector<double> busy;             // by class: part of the time that its workers can be busy
  std::vector<double> worker_pressure;  // by station: its part in the worker bound; their sum is 1
  std::vector<double> device_pressure;  // by station: its part of the busiest device's time; sum 1
  int busiest_device = 0;
};

// Predicts the capacity of plans, by docs/allocation.md. Reused, it does not allocate. One thread
// at a time.
class CapacityModel {
 public:
  Capacity Predict(const PlanLoad& load);
  // Of the plan that was last predicted.
  WorkDivision Division(const PlanLoad& load) const;

 private:
  void SetUpProgram(const PlanLoad& load);
  // Of all that the device's clients take, what one of those takes that bound the rate.
  double OwnPart(const PlanLoad& load, int device) const;

  // The samples that a class takes at a station in `unit_`.
  size_t Variable(const PlanLoad& load, size_t worker_class, size_t station) const {
    return worker_class * load.stations.size() + station;
  }

  LinearProgram program_;
  double unit_ = 1;  // seconds; makes coefficients lie around 1
};

// How much of the device's bound a worker feels that takes the part `own` of all that its clients
// take: a step is slowed by the others' steps, not by itself. (1 - own^knee)^(1/knee): none of it
// if the worker is alone, nearly all if it is one of many.
double Crowding(double own, double knee);

// By how much steps slow each other while samples arrive at the part `use` of the device bound, as
// felt by its clients: steps that are slowed by S run S times as long, so that ever more of them
// run at once, and S = (1 + (use S)^knee)^(1/knee). Infinite from 1 on.
double Slowdown(double use, double knee);

}  // namespace escan
