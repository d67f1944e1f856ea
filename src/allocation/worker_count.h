#pragma once

#include "contracts/plan.h"

namespace escan {

// Worker processes of a plan, on all devices or on one.
inline int WorkerCount(const Plan& plan) {
  int count = 0;
  for (const WorkerGroup& group : plan.workers) count += group.count;
  return count;
}
inline int WorkerCount(const Plan& plan, int device) {
  int count = 0;
  for (const WorkerGroup& group : plan.workers) {
    if (group.device == device) count += group.count;
  }
  return count;
}

}  // namespace escan
