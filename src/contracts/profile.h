#pragma once

#include <cstddef>
#include <string>
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

  // [share][bucket]: from one result to the next of a worker that always has another batch waiting,
  // with nothing else on the device. Less than `step` where work on two batches overlaps.
  std::vector<std::vector<Seconds>> steady_step;

  // [share][clients][bucket]: device time of one step, with so many clients on the device: what all
  // of them together approach for a step, the more of them run such steps back to back. By the law
  // in docs/design.md, 7, the rate of exactly so many clients follows from this and `steady_step`.
  std::vector<std::vector<std::vector<Seconds>>> device_time;

  // [share]: how a worker computes the stage there, which was found to answer rightly; as
  // BucketCheck.
  std::vector<std::string> way;

  size_t input_bytes = 0;   // of a row, that cross the bus from the host
  size_t memory_bytes = 0;  // of the device: weights and graphs, once for each worker that hosts it
};

// A share at which a stage answers wrongly, whatever is tried.
struct RefusedShare {
  int thread_percent = 0;
  std::string reason;

  friend bool operator==(const RefusedShare&, const RefusedShare&) = default;
};

// What is known of a cascade on one kind of device: all that allocation and simulation need.
struct Profile {
  // The shares at which all stages answer rightly: ascending, the last is 100.
  std::vector<int> thread_percents;
  std::vector<RefusedShare> refused;  // others that were tried, ascending
  std::vector<int> client_counts;     // ascending, the first is 1
  bool padded = true;  // a step takes as long as that of its bucket, as a graph does; else times
                       // between two buckets lie between theirs
  double knee = 4;     // exponent of the law by which steps slow each other, see docs/design.md, 7
  double bus_bytes_per_second = 0;  // from the host to the device; 0: not a bound
  size_t device_memory_bytes = 0;   // 0: not a bound
  size_t context_bytes = 0;         // of the device's memory, of each worker beside its stages
  std::vector<StageCosts> stages;   // those of the cascade
};

}  // namespace escan
