#include "profiling/share_verification.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "escan/time.h"

namespace escan {
namespace {

constexpr Duration kLookEvery = std::chrono::milliseconds(20);

Plan OneWorker(const CascadeSpec& cascade, int thread_percent) {
  Plan plan;
  WorkerGroup& worker = plan.workers.emplace_back();
  worker.thread_percent = thread_percent;
  for (int stage = 0; stage < cascade.stage_count(); ++stage) {
    worker.stages.push_back(stage);
    const std::vector<int>& buckets = cascade.stages[static_cast<size_t>(stage)].buckets;
    plan.stages.push_back({.max_batch = buckets.back()});
  }
  return plan;
}

}  // namespace

absl::StatusOr<ShareVerification> VerifyShare(CascadeSpec cascade, int thread_percent,
                                              const EngineOptions& options,
                                              const std::atomic<bool>& cancelled) {
  cascade.slots = 1;  // nothing is served
  EngineOptions once = options;
  // What a worker that failed has found can be seen until the next one starts.
  once.fleet.first_backoff = once.fleet.last_backoff;
  const absl::StatusOr<std::unique_ptr<Engine>> engine =
      Engine::Start(cascade, OneWorker(cascade, thread_percent), once);
  if (!engine.ok()) return engine.status();
  ShareVerification found{.thread_percent = thread_percent};
  while (!cancelled) {
    EngineStatus::Worker worker = std::move((*engine)->AwaitStatus().workers.front());
    found.multiprocessors = std::max(found.multiprocessors, worker.multiprocessors);
    const bool failed = worker.member.failed_starts > 0;
    if (failed || worker.member.state == FleetState::kReady) {
      found.checks = std::move(worker.checks);
      if (failed) found.failure = worker.member.last_end;
      return found;
    }
    std::this_thread::sleep_for(kLookEvery);
  }
  return absl::CancelledError("interrupted");
}

}  // namespace escan
