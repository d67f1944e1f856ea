#pragma once

#include <cstdint>

namespace escan::loadgen {

// A part of a whole, and 0 of nothing.
inline double Ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }
inline double Ratio(int64_t part, int64_t whole) {
  return Ratio(static_cast<double>(part), static_cast<double>(whole));
}

}  // namespace escan::loadgen
