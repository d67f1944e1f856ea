#include "engine/probe_slab.h"

#include <cstring>
#include <random>
#include <string>

#include "load/random_tensor.h"

namespace escan {
namespace {

// Large buckets are filled with the same rows over and over, so that a few, whose right answers
// take the CPU some time, check each place of a batch.
constexpr uint32_t kRandomRows = 4;
constexpr uint64_t kSeed = 1;

}  // namespace

absl::StatusOr<Slab> MakeProbeSlab(const CascadeSpec& cascade, const SlabLayout& layout) {
  SlabLayout of_probes = layout;
  of_probes.slots = kRandomRows;
  absl::StatusOr<Slab> slab = Slab::Create(of_probes);
  if (!slab.ok()) return slab;
  std::mt19937_64 random(kSeed);
  for (size_t i = 0; i < cascade.inputs.size(); ++i) {
    for (SlotId slot = 0; slot < of_probes.slots; ++slot) {
      const std::string row = RandomTensor(cascade.inputs[i], 1, random);
      std::memcpy(slab->At(slot, layout.inputs[i]), row.data(), row.size());
    }
  }
  return slab;
}

}  // namespace escan
