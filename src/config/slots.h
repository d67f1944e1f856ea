#pragma once

#include <cstddef>

#include "config/node_reader.h"
#include "contracts/plan.h"
#include "escan/cascade.h"

namespace escan {

// The most shared memory that the samples of one cascade may take.
inline constexpr size_t kSlabBytes = size_t{1} << 30;

// Bytes that a sample takes: every tensor of the request and of each stage, on cache lines of its
// own.
size_t SlotBytes(const CascadeSpec& cascade);

// `slots:` of a cascade, or its default: four times the rows that the workers of `plan`, the
// largest one that is expected, can hold, at least 1,024 and max_rows, as far as kSlabBytes allow.
// Notes at `node` what cannot work.
int ReadSlots(const NodeReader& node, const CascadeSpec& cascade, const Plan& plan);

}  // namespace escan
