#include "engine/worker_links.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "ipc/worker_spec.h"

namespace escan {

WorkerLinks::WorkerLinks(const CascadeSpec& cascade, const SlabLayout& layout, const Slab& slab,
                         const Slab& probes, ModelFiles* models, const EngineOptions& options,
                         Poller* poller)
    : cascade_(cascade),
      layout_(layout),
      slab_(slab),
      probes_(probes),
      models_(*models),
      options_(options),
      poller_(poller) {}

absl::Status WorkerLinks::Start(WorkerId worker, uint32_t incarnation, const WorkerGroup& role,
                                const CpuShare& share) {
  const absl::StatusOr<WorkerCommand> command = options_.host->CommandFor(role);
  if (!command.ok()) return command.status();
  WorkerSpec spec{
      .cascade = cascade_.name,
      .worker = worker,
      .incarnation = incarnation,
      .slots = layout_.slots,
      .stride = layout_.stride,
      .credits = role.credits,
      .threads = share.threads,
      .cpus = options_.pin_cpus ? share.cpus : std::vector<int>(),
      .gpu = options_.devices[static_cast<size_t>(role.device)].uuid,
      .cache = options_.cache,
      .probes = probes_.slots(),
      .stages = WorkerStagesOf(cascade_, layout_, role.stages),
      .feeders = WorkerStagesOf(cascade_, layout_, FeedersOf(cascade_, role.stages)),
  };
  for (WorkerStage& stage : spec.feeders) models_.Complete(&stage);
  for (WorkerStage& stage : spec.stages) {
    models_.Complete(&stage);
    models_.WarnOfChange(stage);
  }
  absl::StatusOr<WorkerProcess> process =
      WorkerProcess::Spawn(*command, spec, slab_, &probes_, options_.worker_output);
  if (!process.ok()) return process.status();
  absl::Status watched =
      poller_->Add(process->pidfd(), {.source = Poller::Source::kProcess, .owner = worker});
  if (watched.ok()) {
    watched =
        poller_->Add(process->socket().fd(), {.source = Poller::Source::kSocket, .owner = worker});
  }
  if (!watched.ok()) return watched;

  std::vector<std::string> stages;
  for (const WorkerStage& stage : spec.stages) stages.push_back(stage.name);
  spdlog::info("worker starting model={} worker={} pid={} device={} stages={} thread_percent={}",
               cascade_.name, worker, process->pid(), role.device, absl::StrJoin(stages, ","),
               role.thread_percent);
  links_[worker] = std::make_unique<WorkerLink>(options_.host.get(), std::move(*process),
                                                incarnation, role, share);
  return absl::OkStatus();
}

WorkerLink* WorkerLinks::Find(WorkerId worker) const {
  const auto found = links_.find(worker);
  return found == links_.end() ? nullptr : found->second.get();
}

void WorkerLinks::Condemn(WorkerLink& link, std::string reason, WorkerEnd end) {
  StopReading(link);
  link.Condemn(std::move(reason), end);
}

void WorkerLinks::SocketClosed(WorkerLink& link, TimePoint now) {
  StopReading(link);
  link.SocketClosed(now);
}

std::vector<WorkerId> WorkerLinks::Expel(int device, TimePoint now) {
  std::vector<WorkerId> expelled;
  for (const auto& [worker, link] : links_) {
    if (link->role().device != device || link->expelled() || link->condemned()) continue;
    link->Expel(now);
    expelled.push_back(worker);
  }
  return expelled;
}

bool WorkerLinks::Expelling(int device) const {
  return std::any_of(links_.begin(), links_.end(), [device](const auto& entry) {
    return entry.second->role().device == device && entry.second->expelled();
  });
}

void WorkerLinks::StopReading(WorkerLink& link) {
  if (link.readable()) poller_->Remove(link.process().socket().fd());
}

void WorkerLinks::Remove(WorkerId worker) {
  WorkerLink* const link = Find(worker);
  if (link == nullptr) return;
  StopReading(*link);
  poller_->Remove(link->process().pidfd());
  links_.erase(worker);
}

}  // namespace escan
