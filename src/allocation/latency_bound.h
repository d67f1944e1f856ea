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

  // Seconds, of the first `stages`, whatever their batch limits are.
  double OfFirst(int stages, const SearchChoice& choice) const;
  // Of the stages from one on, whose batch limits are chosen.
  double OfLast(int stage, const SearchChoice& choice) const;

 private:
  double Least(int stage, ClassSet hosts, const SearchChoice& choice) const;
  double Offered(int stage, ClassSet hosts, const SearchChoice& choice) const;
  double Longest(ClassSet hosts, const SearchChoice& choice) const;
  // Of hosts that are known to hold a second batch.
  double LongestBehind(ClassSet hosts, const SearchChoice& choice) const;

  const SearchGrid& grid_;
  const Contest& contest_;
  const LateParts& late_;
  const WaitBounds waits_;
  HostOptions& options_;
};

}  // namespace escan
