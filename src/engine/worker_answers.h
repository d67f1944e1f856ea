#pragma once

#include <cstdint>
#include <vector>

#include "escan/ids.h"

namespace escan {

// What checks of answers have shown of one worker at one stage, of all its processes.
struct WorkerAnswers {
  WorkerId worker = -1;
  int stage = 0;
  uint64_t checked = 0;  // rows that it had answered
  uint64_t wrong = 0;    // rows that it answered, or compared, wrongly

  friend bool operator==(const WorkerAnswers&, const WorkerAnswers&) = default;
};

// A share of a device at which a worker answered wrongly, before it was ready or while it served.
struct DoubtfulShare {
  int device = 0;
  std::vector<int> stages;
  int thread_percent = 0;
  int replaced = 0;  // workers

  friend bool operator==(const DoubtfulShare&, const DoubtfulShare&) = default;
};

}  // namespace escan
