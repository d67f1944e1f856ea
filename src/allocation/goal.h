#pragma once

namespace escan {

// A plan's capacity is at least this multiple of the rate it is for.
inline constexpr double kHeadroom = 1.2;

// What makes one plan better than another.
enum class Goal {
  kLatency,  // the lower p99 at the workload's rate, for plans whose capacity is kHeadroom times
             // that rate; at equal p99 the one with less memory
  kGoodput,  // the higher rate within the objective; without an objective, the higher capacity
};

}  // namespace escan
