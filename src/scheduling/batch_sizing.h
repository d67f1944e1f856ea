#pragma once

#include <span>

#include "escan/time.h"

namespace escan {

// What is known when a batch is formed.
struct BatchSizing {
  int available = 0;  // samples that wait, at least 1
  int max_batch = 0;
  std::span<const int> buckets;          // of the stage, ascending
  std::span<const Duration> step_times;  // by bucket; zero: unknown
  Duration slack{};                      // until the deadline of the most urgent sample
};

// How many rows to take: all up to max_batch, padded to the next bucket, or only as many as fill
// the bucket below, whichever gives more rows per time; all while one of the two times is unknown.
// A batch that is not full shrinks to the largest bucket that ends within `slack`, if there is one.
// A full one does not: under overload small batches for late samples would only make more samples
// late.
int RowsToTake(const BatchSizing& sizing);

}  // namespace escan
