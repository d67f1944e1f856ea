#include "scheduling/spare_time.h"

namespace escan {

bool SpareTime::SlotsAreShort() const {
  return 4 * requests_->slots_used() > 3 * requests_->slots();
}

bool SpareTime::IsFree(WorkerId id, int stage) const {
  const Worker& worker = (*workers_)[id];
  const Backlog& backlog = requests_->backlog();
  if (worker.load() > 0 || !workers_->has_credit(id)) return false;
  // A suspect needs a device to itself.
  if (!Contains(worker.hosts(), stage) || backlog.suspect_stages() != 0) return false;
  bool waits = false;
  ForEachStage(worker.hosts(), [&](int hosted) { waits |= backlog.queued(hosted) > 0; });
  return !waits;
}

WorkerId SpareTime::FreeHost(int stage) const {
  for (const WorkerId id : workers_->by_preference()) {
    if (IsFree(id, stage)) return id;
  }
  return -1;
}

}  // namespace escan
