#pragma once

#include <cstddef>
#include <vector>

#include "escan/time.h"

namespace escan {

// What the steps of one stage cost on a device, as measured. Tables have an element for each of the
// profile's shares, of its client counts and of the stage's buckets, in this order.
struct StageCosts {
  std::vector<int> buckets;  // rows, ascending

  // [share][bucket]: one step, from a worker's dispatch to its result, with nothing else on the
  // device and no other batch at the worker.
  std::vector<std::vector<Seconds>> step;

  // [share][clients][bucket]: device time of one step. While so many clients of this share run such
  // steps back to back, each with a batch waiting, all together finish one step in this time.
  std::vector<std::vector<std::vector<Seconds>>> device_time;

  size_t input_bytes = 0;   // of a row, that cross the bus from the host
  size_t memory_bytes = 0;  // of the device: weights and graphs, once for each worker that hosts it
};

// What is known of a cascade on one kind of device: all that allocation and simulation need.
struct Profile {
  std::vector<int> thread_percents;  // the shares: ascending, the last is 100
  std::vector<int> client_counts;    // ascending, the first is 1
  bool padded = true;  // a step takes as long as that of its bucket, as a graph does; else times
                       // between two buckets lie between theirs
  double knee = 4;     // exponent of the law by which steps slow each other, see docs/design.md, 7
  double bus_bytes_per_second = 0;  // from the host to the device; 0: not a bound
  size_t device_memory_bytes = 0;   // 0: not a bound
  size_t context_bytes = 0;         // of the device's memory, of each worker beside its stages
  std::vector<StageCosts> stages;   // those of the cascade
};

}  // namespace escan
