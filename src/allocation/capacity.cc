#include "allocation/capacity.h"

#include <algorithm>
#include <cmath>

namespace escan {

double Slowdown(double demand, double knee) {
  return std::pow(1 + std::pow(demand, knee), 1 / knee);
}

// Variables: the samples taken by class and station, the rate, the time of the busiest device.
// Constraints: by station, the rate is served; by class, workers have the time; by device, it is
// not used more than the busiest one.
void CapacityModel::SetUpProgram(const PlanLoad& load) {
  const size_t classes = load.classes.size();
  const size_t stations = load.stations.size();
  devices_ = 1;
  for (const WorkerClass& workers : load.classes) devices_ = std::max(devices_, workers.device + 1);
  unit_ = 0;
  for (size_t s = 0; s < stations; ++s) {
    for (size_t c = 0; c < classes; ++c) {
      unit_ = std::max(unit_, load.cost(c, s).worker_time.count());
    }
  }
  const size_t rate = classes * stations;
  const size_t most_used = rate + 1;
  program_.Reset(rate + 2, stations + classes + static_cast<size_t>(devices_));
  program_.objective(0, rate) = 1;
  program_.objective(1, most_used) = -1;
  for (size_t s = 0; s < stations; ++s) program_.coefficient(s, rate) = load.stations[s].work;
  for (size_t c = 0; c < classes; ++c) {
    const size_t device = stations + classes + static_cast<size_t>(load.classes[c].device);
    program_.limit(stations + c) = kMostBusy * load.classes[c].count;
    for (size_t s = 0; s < stations; ++s) {
      const StationCost& cost = load.cost(c, s);
      if (!cost.hosted() || load.stations[s].work == 0) continue;
      const size_t variable = Variable(load, c, s);
      program_.coefficient(s, variable) = -1;
      program_.coefficient(stations + c, variable) = cost.worker_time.count() / unit_;
      program_.coefficient(device, variable) = cost.device_time.count() / unit_;
    }
  }
  for (size_t d = 0; d < static_cast<size_t>(devices_); ++d) {
    program_.coefficient(stations + classes + d, most_used) = -1;
  }
}

Capacity CapacityModel::Predict(const PlanLoad& load) {
  SetUpProgram(load);
  program_.Maximize();
  const size_t rate = load.classes.size() * load.stations.size();
  Capacity capacity{.worker_bound = program_.value(rate) / unit_, .bus_bound = load.bus_rate};
  capacity.device_bound = capacity.worker_bound / program_.value(rate + 1);
  capacity.rate = capacity.WithoutContention() / Slowdown(capacity.demand(), load.knee);
  return capacity;
}

double CapacityModel::UseOfDevice(const PlanLoad& load, size_t station, int device) const {
  double use = 0;
  for (size_t c = 0; c < load.classes.size(); ++c) {
    if (load.classes[c].device != device) continue;
    use += program_.value(Variable(load, c, station)) * load.cost(c, station).device_time.count();
  }
  return use / unit_;
}

double CapacityModel::DeviceDemand(const PlanLoad& load, int device) const {
  double use = 0;
  for (size_t s = 0; s < load.stations.size(); ++s) use += UseOfDevice(load, s, device);
  return use;
}

WorkDivision CapacityModel::Division(const PlanLoad& load) const {
  const size_t stations = load.stations.size();
  WorkDivision division;
  for (int d = 1; d < devices_; ++d) {
    if (DeviceDemand(load, d) > DeviceDemand(load, division.busiest_device)) {
      division.busiest_device = d;
    }
  }
  const double demand = DeviceDemand(load, division.busiest_device);
  for (size_t s = 0; s < stations; ++s) {
    division.worker_pressure.push_back(program_.dual(s) * load.stations[s].work);
    division.device_pressure.push_back(UseOfDevice(load, s, division.busiest_device) / demand);
  }
  for (size_t c = 0; c < load.classes.size(); ++c) {
    double busy = 0;
    for (size_t s = 0; s < stations; ++s) {
      busy += program_.value(Variable(load, c, s)) * load.cost(c, s).worker_time.count() / unit_;
    }
    division.busy.push_back(busy / load.classes[c].count);
  }
  return division;
}

}  // namespace escan
