#include "engine/worker_starts.h"

#include <algorithm>
#include <utility>

namespace escan {

void WorkerStarts::Start(WorkerId worker, uint32_t incarnation, const WorkerGroup& role) {
  if (links_.Expelling(role.device)) {
    held_.push_back({worker, incarnation, role});
    return;
  }
  const absl::Status started = links_.Start(worker, incarnation, role, FreeShare(role));
  if (!started.ok()) failed_.push_back({worker, incarnation, std::string(started.message())});
}

void WorkerStarts::Release() {
  for (const Held& held : std::exchange(held_, {})) {
    Start(held.worker, held.incarnation, held.role);
  }
}

void WorkerStarts::GiveUp(WorkerId worker) {
  const auto held = std::ranges::find(held_, worker, &Held::worker);
  if (held == held_.end()) return;
  failed_.push_back({worker, held->incarnation, "its device is in error"});
  held_.erase(held);
}

std::vector<WorkerStarts::Failed> WorkerStarts::TakeFailed() { return std::exchange(failed_, {}); }

CpuShare WorkerStarts::FreeShare(const WorkerGroup& role) const {
  // A GPU's worker needs a core now and then, any of them.
  const Device& device = options_.devices[static_cast<size_t>(role.device)];
  if (device.kind == Device::Kind::kGpu) return {};
  std::vector<CpuShare> taken;
  for (const Fleet::Member& member : fleet_.members()) {
    const WorkerLink* link = links_.Find(member.id);
    if (link != nullptr && !member.outgoing && !member.leaving) taken.push_back(link->cpu_share());
  }
  return ShareOfCpus(options_.cpus, role.thread_percent, taken);
}

}  // namespace escan
