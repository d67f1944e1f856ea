#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <vector>

#include "allocation/contest.h"
#include "allocation/search_grid.h"
#include "allocation/tail_latency.h"

namespace escan {

// The least that one stage can cost a candidate: its batch limit is given, and its hosts' number
// and shares, whatever else they host. Times in seconds.
struct StageOption {
  size_t bucket = 0;
  double worker = 0;  // workers' time, of each sample that arrives at the cascade
  double device = 0;  // the device's
  double delay = 0;
  double steps = 1;  // that what arrives together takes
  double group = 0;  // the part of a batch that arrives together
};

// All batch limits of a stage, ascending.
struct StageOptionRow {
  std::vector<StageOption> options;
  // By bucket: the slowest host's step; and the slowdown of steps from which on its batches, if
  // the limit is larger, do not hold what gathers.
  std::vector<double> slowest;
  std::vector<double> outgrown;
  double least_worker = 0;
  double least_device = 0;

  // The bucket of the batches that are run while steps are slowed so, at least.
  size_t SizeAt(double slowdown) const {
    size_t size = 0;
    while (size < outgrown.size() && slowdown >= outgrown[size]) ++size;
    return size;
  }
};

// Bounds from below for all candidates with the same number of clients, by stage. Workers' and
// device's time are the least ones, of different shares if need be, because the model divides them
// between the hosts differently. What a step adds to the latency is a bound because everything in
// TailLatency grows with the rate, with the time of the device and with each step.
//
// Valid for candidates that beat the contest's best at the time of Reset, and hence for those that
// beat a later one.
class StageOptions {
 public:
  // Both outlive this.
  StageOptions(const SearchGrid& grid, const Contest& contest, const LateParts& late);

  void Reset(int clients);

  // `shares` of the hosts, at most kMostClasses.
  const StageOptionRow& Row(int stage, std::span<const int> shares, int hosts);

 private:
  void Fill(int stage, std::span<const int> shares, int hosts, StageOptionRow* row);
  void AddLatency(int stage, int hosts, StageOptionRow* row) const;

  const SearchGrid& grid_;
  const Contest& contest_;
  const LateParts& late_;
  int clients_ = 0;
  double rate_ = 0;
  std::deque<StageOptionRow> rows_;
  std::vector<int> row_of_;  // by stage, shares and hosts: index into rows_, or -1
};

}  // namespace escan
