#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "loadgen/exit_schedule.h"

namespace escan::loadgen {

// The values of an input that says where each sample exits: k + 0.5, in FP32, for stage k + 1.
// Every segment of a schedule has a few tens of thousands of them, in which each stage has its
// share to within one sample, in an order that follows from the seed. Immutable, so any thread may
// read it; requests refer to its bytes without copying them.
class Difficulties {
 public:
  // For requests of `rows_per_request` rows or fewer.
  Difficulties(const ExitSchedule& schedule, int rows_per_request, uint64_t seed);

  // Raw contents for the run's request of that number: requests of one segment take turns, and
  // begin again after the last. Valid as long as this object.
  std::string_view Rows(int segment, int64_t request, int rows) const;

 private:
  int rows_per_request_;
  int64_t requests_;                        // that a segment has values for
  std::vector<std::vector<float>> values_;  // [segment][row]
};

}  // namespace escan::loadgen
