#pragma once

#include "escan/ids.h"
#include "escan/time.h"
#include "scheduling/request_table.h"
#include "scheduling/worker_table.h"

namespace escan {

// When there is room for work that no client waits for: checks of answers and audits. Plain code;
// owned by the scheduler's core.
class SpareTime {
 public:
  // Work that found no room for so long is given up.
  static constexpr Duration kLongestWait = std::chrono::seconds(1);

  // Both outlive this.
  SpareTime(const RequestTable* requests, const WorkerTable* workers)
      : requests_(requests), workers_(workers) {}

  // Slots are needed more for requests: less than a quarter is free.
  bool SlotsAreShort() const;
  // The worker hosts the stage and has nothing else to do, nor does anything wait that it could do.
  bool IsFree(WorkerId id, int stage) const;
  // The first such worker; -1: none.
  WorkerId FreeHost(int stage) const;

 private:
  const RequestTable* requests_;
  const WorkerTable* workers_;
};

}  // namespace escan
