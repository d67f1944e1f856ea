#pragma once

#include <bit>
#include <cstdint>

#include "escan/ids.h"
#include "scheduling/stage_mask.h"
#include "scheduling/urgency.h"

namespace escan {

// What is known of one row of a request: where its copies are and what the stages said. Several
// copies exist at once only where stages speculate.
struct Sample {
  Urgency urgency;
  SlotId request = kNoSlot;  // first slot of its request

  StageMask queued = 0;     // waits there
  StageMask in_flight = 0;  // a worker holds it

  StageMask declined = 0;  // the score did not pass
  StageMask passed = 0;
  StageMask failed = 0;    // the model threw
  StageMask outdated = 0;  // answered under a threshold that has changed since

  // Stages in which it was in flight at a worker that ended badly and has not come back from since.
  StageMask suspect = 0;
  uint8_t blameless_ends = 0;

  bool answered = false;  // by a stage, or because its request is over
  uint8_t holds = 0;      // by those that have something computed once more
  bool settled = false;   // answered, without holds, and no copy is left

  // The stage whose word is needed next: all earlier ones declined.
  int frontier() const { return std::countr_one(declined); }
  StageMask begun() const {
    return static_cast<StageMask>(queued | in_flight | declined | passed | failed);
  }
};

}  // namespace escan
