#include "scheduling/exit_estimate.h"

namespace escan {
namespace {

constexpr uint64_t kFewSamples = 30;

}  // namespace

const ExitEstimate& ExitWindows::estimate() const {
  if (recent.reached < kFewSamples) return window;
  return window.interval().Overlaps(recent.interval()) ? window : recent;
}

}  // namespace escan
