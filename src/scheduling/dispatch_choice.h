#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "escan/cascade.h"
#include "escan/time.h"
#include "scheduling/stage_mask.h"

namespace escan {

// What waits at one stage, seen as the batch that would be formed now.
struct StageOffer {
  uint64_t level = 0;            // (priority, deadline) of its most urgent sample, see Urgency
  TimePoint deadline;            // of that sample
  std::optional<Duration> step;  // how long the batch would take, if known
};

struct StageOffers {
  StageMask waiting = 0;  // stages at which a sample waits; the others' offers mean nothing
  StageMask full = 0;     // a batch of max_batch rows
  StageMask ripe = 0;     // not full, but it need not wait any longer
  std::array<StageOffer, kMaxStages> at;

  StageMask runnable() const { return static_cast<StageMask>(full | ripe); }
};

// The stage of `allowed` that a worker runs next: the most urgent full batch, or the most urgent
// ripe one when none is full; the later stage at equal urgency. A batch that is not full competes
// with full ones only if its most urgent sample would make its deadline now, but not after the full
// batch. Empty when nothing of `allowed` is runnable.
std::optional<int> ChooseStage(const StageOffers& offers, StageMask allowed, TimePoint now);

}  // namespace escan
