#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "escan/stage_executor.h"

namespace escan {

// Runs the rows [first, first + count) of a batch; on OK their results are filled in.
using RunRows = std::function<absl::Status(size_t first, size_t count)>;

// Runs a whole batch. When that fails, runs its halves, and so on, so that only rows that fail
// alone are marked failed in `results` (one element a row): k failing rows of n cost about 2k log2
// n runs. Returns why the first of the failed rows failed; empty when none did.
std::string RunIsolatingFailures(std::span<RowResult> results, const RunRows& run);

}  // namespace escan
