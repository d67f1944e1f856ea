#pragma once

#include <array>
#include <cstddef>

#include "allocation/capacity_bound.h"
#include "allocation/search_choice.h"
#include "allocation/search_grid.h"
#include "allocation/stage_options.h"

namespace escan {

// What it costs that a set of a candidate's classes hosts a stage, with the counts and shares that
// are chosen. Owned by BranchAndBound. One thread.
class HostOptions {
 public:
  // All outlive this.
  HostOptions(const SearchGrid& grid, StageOptions* options, const Candidate& candidate)
      : grid_(grid), options_(*options), candidate_(candidate) {}

  // To be called when the candidate's classes or counts have changed, and when shares have while
  // the first so many stages have no hosts.
  void CountsChanged();
  void SharesChanged(int unhosted);

  ClassSet all() const { return (1u << candidate_.class_count) - 1; }
  int workers(ClassSet hosts) const { return workers_[hosts]; }
  const StageOptionRow& Row(int stage, ClassSet hosts) {
    const StageOptionRow* row = rows_[static_cast<size_t>(stage)][hosts];
    return row != nullptr ? *row : FindRow(stage, hosts);
  }
  SampleCost LeastCost(int stage, ClassSet hosts);
  // With the hosts' mean time of the device.
  SampleCost Cost(int stage, ClassSet hosts, const StageOption& option) const;

  // What the first `stages` add at least while they have no hosts.
  struct Least {
    double most_dense = 0;  // the device's time by a worker's time, of a stage
    SampleCost cost;
    size_t memory = 0;
  };
  const Least& least(int stages) const { return least_[static_cast<size_t>(stages)]; }

 private:
  const StageOptionRow& FindRow(int stage, ClassSet hosts);
  // `time(share)` is a class's.
  template <typename Time>
  double MeanDeviceTime(int stage, ClassSet hosts, Time time) const;

  const SearchGrid& grid_;
  StageOptions& options_;
  const Candidate& candidate_;
  int clients_ = 0;
  std::array<int, kClassSets> workers_{};
  std::array<std::array<const StageOptionRow*, kClassSets>, kMaxStages> rows_{};  // or nullptr
  std::array<Least, kMaxStages + 1> least_{};
};

}  // namespace escan
