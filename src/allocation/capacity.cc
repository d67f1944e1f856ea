#include "allocation/capacity.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace escan {

namespace {

constexpr double kRounding = 1e-9;  // of the linear program

// Two bounds together: (a^-p + b^-p)^(-1/p).
double Knee(double a, double b, double p) {
  const double low = std::min(a, b);
  return low * std::pow(1 + std::pow(low / std::max(a, b), p), -1 / p);
}

// A device's time for what of a sample's work at a station its workers do: each worker that hosts
// the station is as likely to do it as any other.
Seconds DeviceTime(const PlanLoad& load, size_t station, int device) {
  int hosts = 0;
  Seconds time{};
  for (size_t c = 0; c < load.classes.size(); ++c) {
    const WorkerClass& workers = load.classes[c];
    if (!load.cost(c, station).hosted()) continue;
    hosts += workers.count;
    if (workers.device == device) time += workers.count * load.cost(c, station).device_time;
  }
  return load.stations[station].work / hosts * time;
}

Seconds DeviceTime(const PlanLoad& load, int device) {
  Seconds time{};
  for (size_t s = 0; s < load.stations.size(); ++s) time += DeviceTime(load, s, device);
  return time;
}

int ClientsOf(const PlanLoad& load, int device) {
  int clients = 0;
  for (const WorkerClass& workers : load.classes) {
    if (workers.device == device) clients += workers.count;
  }
  return clients;
}

// By the time that its clients feel if they are equal; of devices with one client each, by the
// time.
int BusiestDevice(const PlanLoad& load) {
  const auto pressure = [&](int device) {
    const Seconds time = DeviceTime(load, device);
    return std::pair(Crowding(1.0 / ClientsOf(load, device), load.knee) * time, time);
  };
  int busiest = load.classes.front().device;
  for (const WorkerClass& workers : load.classes) {
    if (workers.device == busiest) continue;
    if (pressure(workers.device) > pressure(busiest)) busiest = workers.device;
  }
  return busiest;
}

}  // namespace

double Crowding(double own, double knee) {
  return std::pow(1 - std::pow(std::min(own, 1.0), knee), 1 / knee);
}

double Slowdown(double use, double knee) {
  if (use >= 1) return std::numeric_limits<double>::infinity();
  return std::pow(1 - std::pow(use, knee), -1 / knee);
}

// Variables: the samples taken by class and station, and the rate. Constraints: by station, the
// rate is served; by class, workers have the time.
void CapacityModel::SetUpProgram(const PlanLoad& load) {
  const size_t classes = load.classes.size();
  const size_t stations = load.stations.size();
  unit_ = 0;
  for (size_t s = 0; s < stations; ++s) {
    for (size_t c = 0; c < classes; ++c) {
      unit_ = std::max(unit_, load.cost(c, s).worker_time.count());
    }
  }
  const size_t rate = classes * stations;
  program_.Reset(rate + 1, stations + classes);
  program_.objective(rate) = 1;
  for (size_t s = 0; s < stations; ++s) program_.coefficient(s, rate) = load.stations[s].work;
  for (size_t c = 0; c < classes; ++c) {
    program_.limit(stations + c) = kMostBusy * load.classes[c].count;
    for (size_t s = 0; s < stations; ++s) {
      const StationCost& cost = load.cost(c, s);
      if (!cost.hosted() || load.stations[s].work == 0) continue;
      const size_t variable = Variable(load, c, s);
      program_.coefficient(s, variable) = -1;
      program_.coefficient(stations + c, variable) = cost.worker_time.count() / unit_;
    }
  }
}

// The mean of the classes' workers, a class counting by its part in the worker bound; where none of
// the device's has one, as if its clients were equal.
double CapacityModel::OwnPart(const PlanLoad& load, int device) const {
  const size_t stations = load.stations.size();
  const auto weight = [&](size_t c) {
    return std::max(program_.dual(stations + c), 0.0) * load.classes[c].count;
  };
  double weights = 0;
  for (size_t c = 0; c < load.classes.size(); ++c) {
    if (load.classes[c].device == device) weights += weight(c);
  }
  if (weights < kRounding) return 1.0 / ClientsOf(load, device);
  Seconds own{};
  Seconds all{};
  for (size_t s = 0; s < stations; ++s) {
    int hosts = 0;
    double of_hosts = 0;
    for (size_t c = 0; c < load.classes.size(); ++c) {
      if (load.classes[c].device != device || !load.cost(c, s).hosted()) continue;
      hosts += load.classes[c].count;
      of_hosts += weight(c);
    }
    if (hosts == 0) continue;
    const Seconds time = DeviceTime(load, s, device);
    own += of_hosts / weights / hosts * time;
    all += time;
  }
  return own / all;
}

Capacity CapacityModel::Predict(const PlanLoad& load) {
  SetUpProgram(load);
  program_.Maximize();
  const size_t rate = load.classes.size() * load.stations.size();
  Capacity capacity{.worker_bound = program_.value(rate) / unit_, .bus_bound = load.bus_rate};
  const int device = BusiestDevice(load);
  capacity.device_bound = 1 / DeviceTime(load, device).count();
  capacity.crowding = Crowding(1.0 / ClientsOf(load, device), load.knee);
  capacity.felt_bound = capacity.device_bound / Crowding(OwnPart(load, device), load.knee);
  capacity.rate =
      Knee(std::min(capacity.worker_bound, capacity.bus_bound), capacity.felt_bound, load.knee);
  return capacity;
}

WorkDivision CapacityModel::Division(const PlanLoad& load) const {
  const size_t stations = load.stations.size();
  WorkDivision division{.busiest_device = BusiestDevice(load)};
  const Seconds device_time = DeviceTime(load, division.busiest_device);
  for (size_t s = 0; s < stations; ++s) {
    division.worker_pressure.push_back(program_.dual(s) * load.stations[s].work);
    division.device_pressure.push_back(DeviceTime(load, s, division.busiest_device) / device_time);
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
