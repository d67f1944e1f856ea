#pragma once

#include "scheduling/scheduler.h"

namespace escan {

// Receives the end of a request. Made and owned by whoever submits it; must live until OnComplete.
class Completion {
 public:
  virtual ~Completion() = default;
  // Exactly once, on a completer thread; must not block. Outputs may be read until Release.
  virtual void OnComplete(const Outcome& outcome) = 0;
};

}  // namespace escan
