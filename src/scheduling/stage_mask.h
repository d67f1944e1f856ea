#pragma once

#include <bit>
#include <cstdint>

#include "escan/cascade.h"

namespace escan {

// A set of stages: bit i is stage i.
using StageMask = uint8_t;
static_assert(kMaxStages <= 8, "StageMask is too small");

constexpr StageMask StageBit(int stage) { return static_cast<StageMask>(1u << stage); }
constexpr bool Contains(StageMask mask, int stage) { return ((mask >> stage) & 1u) != 0; }
constexpr int Lowest(StageMask mask) { return std::countr_zero(mask); }
constexpr StageMask Without(StageMask mask, StageMask removed) {
  return static_cast<StageMask>(mask & ~removed);
}

// Calls `visit(stage)` for each stage of the set, ascending.
template <typename Visit>
void ForEachStage(StageMask mask, Visit visit) {
  while (mask != 0) {
    visit(Lowest(mask));
    mask = static_cast<StageMask>(mask & (mask - 1));
  }
}

}  // namespace escan
