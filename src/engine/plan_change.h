#pragma once

#include "escan/time.h"

namespace escan {

// What a change of the plan took.
struct PlanChange {
  int workers_started = 0;
  int workers_stopped = 0;
  Duration took{};
};

}  // namespace escan
