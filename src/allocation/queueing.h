#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "escan/time.h"

// The parts of TailLatency. Waits are in parts of the longest step, and grow with `busy` and `use`.
namespace escan {

// Rows that arrive together, of requests of so many rows of which the part `reach` arrives.
inline double GroupSize(int rows_per_request, double reach) {
  return std::max(1.0, rows_per_request * reach);
}

// Index of the smallest of the sizes that holds, to the nearest row, what arrives together and, at
// `rate` rows per second, in the time `wait(index)` until a worker takes a batch; or the last.
template <typename Wait>
size_t SizeThatHolds(std::span<const int> sizes, double together, double rate, Wait wait) {
  size_t size = 0;
  while (size + 1 < sizes.size() &&
         together + rate * Seconds(wait(size)).count() >= sizes[size] + 0.5) {
    ++size;
  }
  return size;
}

// Index of the smallest of the sizes that holds what arrives together; or the last.
inline size_t SizeOfGroup(std::span<const int> sizes, double together) {
  return SizeThatHolds(sizes, together, 0, [](size_t) { return Seconds::zero(); });
}

// Sakasegawa's approximation of the probability that all of `workers` are busy, each being so for
// the part `use` of the time; 1 from use 1 on.
double AllBusy(double use, int workers);
// It is use^BusyExponent.
double BusyExponent(int workers);

// The residual of a step: all workers are busy with probability `busy`; the wait until the first
// is free is longer than this with probability `late`.
double ResidualWait(double late, double busy, int workers);

// The queue of batches that arrive with a squared coefficient of variation of 1 while the part
// `use` < 1 of the capacity is used; for another coefficient, times that.
double QueueWait(double late, double use, int workers);

}  // namespace escan
