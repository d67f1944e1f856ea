#pragma once

#include <cstdint>

namespace escan {

// Index of one sample's place in the slab.
using SlotId = uint32_t;
inline constexpr SlotId kNoSlot = UINT32_MAX;

// Number of a worker in the daemon's fleet: small, not negative, and kept over restarts of its
// process.
using WorkerId = int;

}  // namespace escan
