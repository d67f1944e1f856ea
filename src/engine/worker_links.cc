#include "engine/worker_links.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"

namespace escan {

absl::Status WorkerLinks::Add(const WorkerOrder& order, LaunchedWorker& launched) {
  const WorkerProcess& process = launched.process;
  absl::Status watched =
      poller_->Add(process.pidfd(), {.source = Poller::Source::kProcess, .owner = order.worker});
  if (!watched.ok()) return watched;
  watched = poller_->Add(process.socket().fd(),
                         {.source = Poller::Source::kSocket, .owner = order.worker});
  if (!watched.ok()) {
    poller_->Remove(process.pidfd());
    return watched;
  }
  std::vector<std::string> stages;
  for (const int stage : order.role.stages) {
    stages.push_back(cascade_.stages[static_cast<size_t>(stage)].name);
  }
  spdlog::info("worker starting model={} worker={} pid={} device={} stages={} thread_percent={}",
               cascade_.name, order.worker, process.pid(), order.role.device,
               absl::StrJoin(stages, ","), order.role.thread_percent);
  links_[order.worker] = std::make_unique<WorkerLink>(host_, std::move(launched), order);
  return absl::OkStatus();
}

WorkerLink* WorkerLinks::Find(WorkerId worker) const {
  const auto found = links_.find(worker);
  return found == links_.end() ? nullptr : found->second.get();
}

bool WorkerLinks::Serves(WorkerId worker) const {
  const WorkerLink* const link = Find(worker);
  return link != nullptr && link->reported().state == WorkerState::kReady;
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

void WorkerLinks::Ended(WorkerLink& link, const ProcessExit& exit) {
  StopReading(link);
  poller_->Remove(link.process().pidfd());
  link.Ended(exit);
}

void WorkerLinks::Remove(WorkerId worker) { links_.erase(worker); }

}  // namespace escan
