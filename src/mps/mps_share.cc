#include "mps/mps_share.h"

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

constexpr int kTolerance = 2;

}  // namespace

absl::Status MpsShare::Check(int seen) const {
  if (multiprocessors == 0) return absl::OkStatus();
  const int expected = multiprocessors * thread_percent / 100;
  if (std::abs(seen - expected) <= kTolerance) return absl::OkStatus();
  std::string message =
      absl::StrCat("the worker sees ", seen, " of the GPU's ", multiprocessors,
                   " multiprocessors, expected about ", expected, " (", thread_percent, " %)");
  if (seen == multiprocessors) absl::StrAppend(&message, ": it runs without MPS");
  return absl::FailedPreconditionError(message);
}

bool MpsShare::Proves(int seen) const {
  return multiprocessors > 0 && Check(seen).ok() && seen + kTolerance < multiprocessors;
}

}  // namespace escan
