#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <vector>

#include "contracts/plan.h"

namespace escan {

// Chance, the same for the same seed.
class Dice {
 public:
  explicit Dice(uint32_t seed) : random_(seed) {}

  int Number(int low, int high) { return std::uniform_int_distribution(low, high)(random_); }
  bool Chance(int percent) { return Number(1, 100) <= percent; }

  template <typename Value>
  void Shuffle(std::vector<Value>* values) {
    std::ranges::shuffle(*values, random_);
  }

  std::vector<StagePolicy> Policies(int stages) {
    std::vector<StagePolicy> policies;
    for (int i = 0; i < stages; ++i) {
      policies.push_back({.max_batch = Number(1, 8),
                          .max_delay = std::chrono::microseconds(Chance(50) ? 0 : Number(1, 3000)),
                          .speculate = Chance(40)});
    }
    return policies;
  }

 private:
  std::mt19937 random_;
};

}  // namespace escan
