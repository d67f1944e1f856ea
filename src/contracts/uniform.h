#pragma once

#include <random>

namespace escan {

// The next of `random` as a number in [0, 1), the same with every standard library; the standard's
// distributions differ between them.
inline double Uniform(std::mt19937_64& random) {
  return static_cast<double>(random() >> 11) * 0x1p-53;
}

}  // namespace escan
