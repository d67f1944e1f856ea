#include "worker/loop/row_isolation.h"

#include <limits>

namespace escan {
namespace {

void RunRange(std::span<RowResult> results, size_t first, size_t count, const RunRows& run,
              std::string& first_failure) {
  const absl::Status status = run(first, count);
  if (status.ok()) return;
  if (count > 1) {
    const size_t half = count / 2;
    RunRange(results, first, half, run, first_failure);
    RunRange(results, first + half, count - half, run, first_failure);
    return;
  }
  results[first] = {.score = std::numeric_limits<float>::quiet_NaN(), .failed = true};
  if (first_failure.empty()) first_failure = std::string(status.message());
}

}  // namespace

std::string RunIsolatingFailures(std::span<RowResult> results, const RunRows& run) {
  std::string first_failure;
  RunRange(results, 0, results.size(), run, first_failure);
  return first_failure;
}

}  // namespace escan
