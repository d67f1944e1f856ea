#include "allocation/slowdown_bound.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace escan {
namespace {

constexpr double kRounding = 1 - 1e-9;  // keeps tangents below the curve
constexpr double kPrecision = 1 + 1e-5;

}  // namespace

SlowdownBound::SlowdownBound(double knee) {
  for (size_t place = 0; place < tangents_.size(); ++place) {
    const double load = static_cast<double>(place) / kPlaces;
    const double slowdown = std::pow(1 + std::pow(load, knee), 1 / knee);
    const double slope = std::pow(load / slowdown, knee - 1);
    tangents_[place] = {.height = slowdown * kRounding - slope * load, .slope = slope};
  }
}

// As Newton's steps from below, with the tangents in place of the curve, and no step past the next
// class's limit, from which on the load grows less. So no step passes the solution.
double SlowdownBound::Of(std::span<const DeviceDemand> demands, double crowding) const {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  double slowdown = 1;
  while (true) {
    double fixed = 0;
    double growing = 0;
    double next = kInfinite;
    for (const DeviceDemand& demand : demands) {
      const double limit = demand.asked > 0 ? demand.most / demand.asked : kInfinite;
      if (limit <= slowdown) {
        fixed += crowding * demand.most;
        continue;
      }
      growing += crowding * demand.asked;
      next = std::min(next, limit);
    }
    const Tangent& tangent = At(fixed + growing * slowdown);
    const double slope = tangent.slope * growing;
    if (slope < 1) next = std::min(next, (tangent.height + tangent.slope * fixed) / (1 - slope));
    if (next <= slowdown * kPrecision) return std::max(next, slowdown);
    slowdown = next;
    if (slowdown == kInfinite) return slowdown;
  }
}

const SlowdownBound::Tangent& SlowdownBound::At(double load) const {
  return tangents_[static_cast<size_t>(std::min(load, double{kMostLoad}) * kPlaces)];
}

}  // namespace escan
