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
  size_t size = 0;    // bucket of the batches that are run
  double worker = 0;  // workers' time, of each sample that arrives at the cascade
  double device = 0;  // the device's
  double delay = 0;
  double step = 0;     // the slowest hosts' steps, if no others ran
  double longest = 0;  // the slowest host's step
  double group = 0;    // the part of a batch that arrives together
};

// All batch limits of a stage, ascending.
struct StageOptionRow {
  std::vector<StageOption> options;
  double single = 0;  // the slowest hosts' step of the smallest batch
  double least_worker = 0;
  double least_device = 0;
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

  // `shares` ascending, of the hosts; at most kMostClasses.
  const StageOptionRow& Row(int stage, std::span<const int> shares, int hosts);

 private:
  double LeastDeviceTime() const;  // that clients feel
  void Fill(int stage, std::span<const int> shares, int hosts, StageOptionRow* row);
  size_t SizeTogether(int stage, int hosts, std::span<const Seconds> slowest) const;
  void AddLatency(int stage, int hosts, std::span<const Seconds> slowest,
                  StageOptionRow* row) const;

  const SearchGrid& grid_;
  const Contest& contest_;
  const LateParts& late_;
  int clients_ = 0;
  double rate_ = 0;
  double crowding_ = 0;
  double slowdown_ = 1;  // at least
  std::deque<StageOptionRow> rows_;
  std::vector<int> row_of_;  // by stage, shares and hosts: index into rows_, or -1
};

}  // namespace escan
