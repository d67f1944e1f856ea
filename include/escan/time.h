#pragma once

#include <chrono>

namespace escan {

// Every time inside one machine is read from the monotonic clock; wall-clock time appears only in
// logs. Logic takes the time as an argument and never reads a clock itself.
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = std::chrono::nanoseconds;

// Of models and estimates, which divide times and multiply them.
using Seconds = std::chrono::duration<double>;

}  // namespace escan
