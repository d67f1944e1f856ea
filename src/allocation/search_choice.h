#pragma once

#include <array>
#include <cstddef>
#include <limits>

#include "allocation/capacity_bound.h"
#include "allocation/search_grid.h"
#include "allocation/stage_options.h"
#include "allocation/unbatched_loads.h"
#include "escan/cascade.h"

namespace escan {

using ClassSet = unsigned;  // a bit for each of a candidate's classes
inline constexpr size_t kClassSets = size_t{1} << kMostClasses;

inline bool Has(ClassSet classes, size_t index) { return (classes >> index & 1) != 0; }

// What BranchAndBound has chosen of a candidate, beside its classes: the hosts of the stages from
// one on; once all have hosts, the batch limits of the stages from one on. And what follows.
struct SearchChoice {
  struct Stage {
    ClassSet hosts = 0;  // none: not chosen
    const StageOption* option = nullptr;
    SampleCost cost;  // of the option, or at least
  };

  ClassSet started = 0;  // classes that host a stage
  ClassSet ended = 0;    // classes that cannot host more
  size_t memory = 0;
  std::array<Stage, kMaxStages> stages{};
  int unhosted = 0;                               // stages without hosts: the first ones
  SampleCost hosted;                              // at least, of all others
  std::array<double, kClassSets> only{};          // workers' time of those that only these host
  std::array<double, kMostClasses> own_device{};  // the device's time, by one worker of the class
  std::array<double, kMostClasses> longest{};     // step, seconds, of all stages with hosts
  std::array<double, kClassSets> offered{};       // to these, by all stages with hosts, unbatched
  UnbatchedLoads unbatched;                       // of all stages with hosts
  double crowded = 1;                             // the slowdown by those
  double slowdown = 1;                            // of steps, at least
  double use = 0;                                 // of the capacity, at least, and its logarithm
  double log_use = -std::numeric_limits<double>::infinity();
};

}  // namespace escan
