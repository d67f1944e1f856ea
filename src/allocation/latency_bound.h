#pragma once

#include "allocation/contest.h"
#include "allocation/host_options.h"
#include "allocation/search_choice.h"
#include "allocation/search_grid.h"
#include "allocation/tail_latency.h"
#include "allocation/wait_bounds.h"

namespace escan {

// The p99 of a candidate at the contest's rate, from below, from what is chosen of it and the
// slowdown and use that this comes to at least. Every part of TailLatency grows with those and with
// the times of steps; samples wait for the longest steps that their hosts are known to run. Owned
// by BranchAndBound. One thread.
class LatencyBound {
 public:
  // All outlive this.
  LatencyBound(const SearchGrid& grid, const Contest& contest, const LateParts& late,
               HostOptions* options)
      : grid_(grid), contest_(contest), late_(late), waits_(late), options_(*options) {}

  // Seconds. A stage whose batch limit or hosts are not chosen counts with the best ones.
  double Of(const SearchChoice& choice) const;
  // The part of all stages but one, which has hosts, and that one's part with a batch limit.
  double OfOthers(int stage, const SearchChoice& choice) const;
  double With(int stage, const StageOption& option, const SearchChoice& choice) const;

 private:
  // What a stage costs, whatever its batch limit is; in seconds and in parts of a step.
  struct Known {
    const StageOptionRow& row;
    size_t size = 0;      // bucket of its batches, if the limit is not less
    double slowdown = 1;  // of steps
    double longest = 0;   // step that its hosts run
    double behind = 0;    // wait for a batch ahead at the worker
    double residual = 0;
    double queue = 0;

    double With(const StageOption& option) const;
    double Least() const;
  };

  double At(int stage, const SearchChoice& choice) const;
  Known KnownOf(int stage, ClassSet hosts, const SearchChoice& choice) const;
  double Longest(ClassSet hosts, const SearchChoice& choice) const;
  // Of hosts that are known to hold a second batch.
  double LongestBehind(ClassSet hosts, const SearchChoice& choice) const;

  int counted() const { return static_cast<int>(late_.counted()); }

  const SearchGrid& grid_;
  const Contest& contest_;
  const LateParts& late_;
  const WaitBounds waits_;
  HostOptions& options_;
};

}  // namespace escan
