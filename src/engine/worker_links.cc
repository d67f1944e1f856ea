#include "engine/worker_links.h"

#include <spdlog/spdlog.h>

#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "ipc/worker_spec.h"

namespace escan {

WorkerLinks::WorkerLinks(const CascadeSpec& cascade, const SlabLayout& layout, const Slab& slab,
                         const WorkerCommand& command, Poller* poller)
    : cascade_(cascade), layout_(layout), slab_(slab), command_(command), poller_(poller) {}

absl::Status WorkerLinks::Start(WorkerId worker, uint32_t incarnation, const WorkerGroup& role,
                                const CpuShare& share) {
  const WorkerSpec spec{
      .cascade = cascade_.name,
      .worker = worker,
      .incarnation = incarnation,
      .slots = layout_.slots,
      .stride = layout_.stride,
      .credits = role.credits,
      .threads = share.threads,
      .cpus = share.cpus,
      .stages = WorkerStagesOf(cascade_, layout_, role.stages),
  };
  absl::StatusOr<WorkerProcess> process = WorkerProcess::Spawn(command_, spec, slab_);
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
  spdlog::info("worker starting model={} worker={} pid={} stages={} thread_percent={} threads={}",
               cascade_.name, worker, process->pid(), absl::StrJoin(stages, ","),
               role.thread_percent, share.threads);
  links_[worker] = std::make_unique<WorkerLink>(std::move(*process), incarnation, share);
  return absl::OkStatus();
}

WorkerLink* WorkerLinks::Find(WorkerId worker) const {
  const auto found = links_.find(worker);
  return found == links_.end() ? nullptr : found->second.get();
}

void WorkerLinks::Condemn(WorkerLink& link, std::string reason) {
  StopReading(link);
  link.Condemn(std::move(reason));
}

void WorkerLinks::SocketClosed(WorkerLink& link, TimePoint now) {
  StopReading(link);
  link.SocketClosed(now);
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
