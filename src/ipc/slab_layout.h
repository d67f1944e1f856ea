#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "escan/cascade.h"
#include "escan/ids.h"

namespace escan {

// Where each tensor of a sample lies inside its slot. Slots are `stride` bytes apart and start
// kHeaderBytes into the slab. Every region starts on a cache line, so that two processes
// never write to the same one. Pure arithmetic: the same cascade gives the same layout in every
// process.
struct SlabLayout {
  static constexpr size_t kAlignment = 64;
  static constexpr size_t kHeaderBytes = 4096;

  uint32_t slots = 0;
  size_t stride = 0;
  std::vector<size_t> inputs;                // offset in the slot of each input of the request
  std::vector<std::vector<size_t>> outputs;  // [stage][output]

  size_t total_bytes() const { return kHeaderBytes + static_cast<size_t>(slots) * stride; }

  // InvalidArgument when the slab would pass `kMaxSlabBytes` or a cascade has no slots.
  static absl::StatusOr<SlabLayout> For(const CascadeSpec& cascade);
};

inline constexpr size_t kMaxSlabBytes = size_t{1} << 30;

}  // namespace escan
