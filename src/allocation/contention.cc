#include "allocation/contention.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace escan {
namespace {

// The load on the device when steps are slowed by S: fixed + growing * S.
struct Load {
  double fixed = 0;
  double growing = 0;

  double at(double slowdown) const { return fixed + growing * slowdown; }
};

double SlowedBy(double load, double knee) { return std::pow(1 + std::pow(load, knee), 1 / knee); }

// The least S = SlowedBy(load.at(S)), if it is less than `most`. Newton's steps from below: the
// function is convex, so they do not pass it.
double Solve(const Load& load, double most, double knee) {
  double slowdown = 1;
  for (int step = 0; step < 30; ++step) {
    const double z = load.at(slowdown);
    const double slowed = SlowedBy(z, knee);
    const double slope = load.growing * std::pow(z / slowed, knee - 1);
    if (slope >= 1) return most;
    const double next = slowdown + (slowed - slowdown) / (1 - slope);
    if (next <= slowdown * (1 + 1e-13)) break;
    slowdown = next;
  }
  return std::min(slowdown, most);
}

}  // namespace

double Slowdown(std::span<const DeviceDemand> demands, double crowding, double knee) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  const auto limit = [](const DeviceDemand& demand) {
    return demand.asked > 0 ? demand.most / demand.asked : kInfinite;
  };
  double passed = 0;  // up to here classes have reached their limits
  while (true) {
    Load load;
    double next = kInfinite;
    for (const DeviceDemand& demand : demands) {
      if (limit(demand) <= passed) {
        load.fixed += crowding * demand.most;
        continue;
      }
      load.growing += crowding * demand.asked;
      next = std::min(next, limit(demand));
    }
    if (next == kInfinite || SlowedBy(load.at(next), knee) <= next) {
      return load.growing > 0 ? Solve(load, next, knee) : SlowedBy(load.fixed, knee);
    }
    passed = next;
  }
}

}  // namespace escan
