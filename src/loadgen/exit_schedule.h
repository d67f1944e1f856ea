#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "escan/time.h"

namespace escan::loadgen {

// Exit ratios that hold from a time on. Ratio i is the part of the samples reaching stage i that is
// to exit there; the samples that exit nowhere are for the stage after the last ratio.
struct ExitSegment {
  Duration start{};  // since the measurement began
  std::vector<double> ratios;
};

// The part of all samples that exits at each stage, for n ratios n + 1 parts that add up to 1.
std::vector<double> ExitShares(const std::vector<double>& ratios);

// "0.5,0.25": one ratio in [0, 1] for each stage but the last. InvalidArgument says which is not.
absl::StatusOr<std::vector<double>> ParseExitRatios(std::string_view text);

// Exit ratios over the time of a run, which change in steps. Immutable.
class ExitSchedule {
 public:
  // Nothing controls where samples exit: no segments.
  ExitSchedule() = default;

  // The same ratios all the time.
  explicit ExitSchedule(std::vector<double> ratios);

  // Reads a CSV file with the header `seconds,exit_1,exit_2,...` and a line for each segment, in
  // order, the first at 0. Blank lines are skipped. InvalidArgument is FILE:LINE: what was found
  // there and what was expected; NotFound when the file cannot be read.
  static absl::StatusOr<ExitSchedule> FromFile(const std::filesystem::path& file);

  const std::vector<ExitSegment>& segments() const { return segments_; }

  // Index of the segment that holds `at` after the start of the measurement; the first one before
  // that and where there are none.
  int SegmentAt(Duration at) const;

 private:
  std::vector<ExitSegment> segments_;
};

}  // namespace escan::loadgen
