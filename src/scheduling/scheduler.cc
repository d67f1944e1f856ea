#include "scheduling/scheduler.h"

#include "scheduling/scheduler_core.h"

namespace escan {

Scheduler::Scheduler(const CascadeSpec& cascade, const Plan& plan,
                     std::span<const SlotId> next_slot, SchedulerActions* actions,
                     const SchedulerOptions& options)
    : core_(std::make_unique<Core>(cascade, plan, next_slot, actions, options)) {}

Scheduler::~Scheduler() = default;

void Scheduler::Admit(const Admission& admission, TimePoint now) { core_->Admit(admission, now); }
void Scheduler::Cancel(const RequestKey& key, TimePoint /*now*/) { core_->Cancel(key); }
const SampleAnswer& Scheduler::answer(SlotId slot) const { return core_->answer(slot); }

void Scheduler::WorkerReady(WorkerId worker, const std::vector<int>& stages, int credits,
                            TimePoint now, int fault_domain) {
  core_->WorkerReady(worker, stages, credits, now, fault_domain);
}
void Scheduler::WorkerDraining(WorkerId worker, TimePoint now) {
  core_->WorkerDraining(worker, now);
}
bool Scheduler::idle(WorkerId worker) const { return core_->idle(worker); }
bool Scheduler::BatchDone(WorkerId worker, const BatchResult& result, TimePoint now) {
  return core_->BatchDone(worker, result, now);
}
void Scheduler::BatchUnsent(WorkerId worker, uint64_t sequence, TimePoint now) {
  core_->BatchUnsent(worker, sequence, now);
}
void Scheduler::WorkerGone(WorkerId worker, WorkerEnd end, TimePoint now) {
  core_->WorkerGone(worker, end, now);
}
TimePoint Scheduler::HangDeadline(WorkerId worker, bool disturbed) const {
  return core_->HangDeadline(worker, disturbed);
}

void Scheduler::SetPolicies(const std::vector<StagePolicy>& stages, const PlanOptions& options,
                            TimePoint /*now*/) {
  core_->SetPolicies(stages, options);
}
void Scheduler::SetThreshold(int stage, float threshold, TimePoint /*now*/) {
  core_->SetThreshold(stage, threshold);
}
void Scheduler::ExemptFromVerification(int stage) { core_->ExemptFromVerification(stage); }
float Scheduler::threshold(int stage) const { return core_->threshold(stage); }
float Scheduler::set_threshold(int stage) const { return core_->set_threshold(stage); }
const BrownOut& Scheduler::brown_out() const { return core_->brown_out(); }

TimePoint Scheduler::Advance(TimePoint now) { return core_->Advance(now); }
void Scheduler::FailAll(TimePoint /*now*/) { core_->FailAll(); }

int Scheduler::requests() const { return core_->requests(); }
int Scheduler::queued(int stage) const { return core_->queued(stage); }
int Scheduler::in_flight(int stage) const { return core_->in_flight(stage); }
bool Scheduler::hosted(int stage) const { return core_->hosted(stage); }
const StageStatistics& Scheduler::statistics(int stage) const { return core_->statistics(stage); }

}  // namespace escan
