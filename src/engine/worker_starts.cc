#include "engine/worker_starts.h"

#include <algorithm>
#include <utility>

namespace escan {

void WorkerStarts::Start(WorkerId worker, uint32_t incarnation, const WorkerGroup& role) {
  WorkerOrder order{.worker = worker, .incarnation = incarnation, .role = role};
  if (MustWait(order)) return held_.push_back(std::move(order));
  Launch(std::move(order));
}

bool WorkerStarts::MustWait(const WorkerOrder& order) const {
  if (parts_.links->Expelling(order.role.device)) return true;
  const Fleet::Member* const member = parts_.fleet->Find(order.worker);
  // One that served is missed: it is back as soon as may be.
  if (!on_cpu(order.role) || member == nullptr || member->served) return false;
  const int preparing = PreparingThreads();
  if (preparing == 0) return false;
  if (AnyServes()) return true;
  const int usable = static_cast<int>(parts_.options->cpus.size());
  return preparing + FreeShare(order.role).threads > usable;
}

void WorkerStarts::Launch(WorkerOrder order) {
  order.share = FreeShare(order.role);
  const Fleet::Member* const member = parts_.fleet->Find(order.worker);
  const bool is_new = member != nullptr && !member->served;
  order.yields = on_cpu(order.role) && is_new && AnyServes();
  if (order.yields) order.prepare_cpus = UnusedCpus();
  launching_.push_back({.order = order});
  parts_.side->Post([this, order = std::move(order)]() -> SideThread::Rest {
    const auto launched =
        std::make_shared<absl::StatusOr<LaunchedWorker>>(parts_.launcher->Launch(order));
    return [this, order, launched] { HandleLaunched(order, launched); };
  });
}

void WorkerStarts::HandleLaunched(const WorkerOrder& order, const Launched& launched) {
  const auto launching = std::ranges::find_if(launching_, [&order](const Launching& of) {
    return of.order.incarnation == order.incarnation;
  });
  const bool wanted = launching->wanted;
  launching_.erase(launching);
  const absl::Status adopted = Adopt(order, wanted, launched);
  if (adopted.ok())
    return parts_.fleet->StartDelayed(order.worker, order.incarnation, Clock::now());
  failed_.push_back({order.worker, order.incarnation, std::string(adopted.message())});
  // To end a process takes the kernel a moment.
  parts_.side->Post([launched]() -> SideThread::Rest {
    *launched = absl::CancelledError("not wanted");
    return nullptr;
  });
  Release();
}

absl::Status WorkerStarts::Adopt(const WorkerOrder& order, bool wanted, const Launched& launched) {
  if (!launched->ok()) return launched->status();
  if (!wanted) return absl::CancelledError("it is not wanted any more");
  return parts_.links->Add(order, **launched);
}

void WorkerStarts::Release() {
  for (WorkerOrder& order : std::exchange(held_, {})) {
    if (!MustWait(order)) {
      Launch(std::move(order));
      continue;
    }
    if (!parts_.links->Expelling(order.role.device)) {
      parts_.fleet->StartDelayed(order.worker, order.incarnation, Clock::now());
    }
    held_.push_back(std::move(order));
  }
}

void WorkerStarts::GiveUp(WorkerId worker) {
  const auto held = std::ranges::find(held_, worker, &WorkerOrder::worker);
  if (held != held_.end()) {
    const bool expelling = parts_.links->Expelling(held->role.device);
    failed_.push_back({worker, held->incarnation,
                       expelling ? "its device is in error" : "its turn had not come"});
    held_.erase(held);
  }
  for (Launching& launching : launching_) {
    if (launching.order.worker == worker) launching.wanted = false;
  }
}

std::vector<WorkerStarts::Failed> WorkerStarts::TakeFailed() { return std::exchange(failed_, {}); }

bool WorkerStarts::on_cpu(const WorkerGroup& role) const {
  const Device& device = parts_.options->devices[static_cast<size_t>(role.device)];
  return device.kind == Device::Kind::kCpu;
}

bool WorkerStarts::AnyServes() const {
  return std::ranges::any_of(parts_.fleet->members(), [](const Fleet::Member& member) {
    return member.state == FleetState::kReady;
  });
}

int WorkerStarts::PreparingThreads() const {
  int threads = 0;
  for (const Launching& launching : launching_) {
    if (on_cpu(launching.order.role)) threads += launching.order.share.threads;
  }
  for (const auto& [worker, link] : parts_.links->all()) {
    const Fleet::Member* const member = parts_.fleet->Find(worker);
    const bool preparing = member != nullptr && member->state == FleetState::kStarting;
    if (preparing && on_cpu(link->role())) threads += link->cpu_share().threads;
  }
  return threads;
}

CpuShare WorkerStarts::FreeShare(const WorkerGroup& role) const {
  // A GPU's worker needs a core now and then, any of them.
  if (!on_cpu(role)) return {};
  std::vector<CpuShare> taken;
  for (const Fleet::Member& member : parts_.fleet->members()) {
    if (member.outgoing || member.leaving) continue;
    if (const WorkerLink* link = parts_.links->Find(member.id)) taken.push_back(link->cpu_share());
    const auto launching = std::ranges::find_if(launching_, [&member](const Launching& of) {
      return of.order.incarnation == member.incarnation;
    });
    if (launching != launching_.end()) taken.push_back(launching->order.share);
  }
  return ShareOfCpus(parts_.options->cpus, role.thread_percent, taken);
}

std::vector<int> WorkerStarts::UnusedCpus() const {
  std::vector<int> unused = parts_.options->cpus;
  for (const auto& [worker, link] : parts_.links->all()) {
    std::erase_if(unused, [&share = link->cpu_share()](int cpu) {
      return std::ranges::count(share.cpus, cpu) != 0;
    });
  }
  return unused;
}

}  // namespace escan
