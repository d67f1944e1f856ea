#include "engine/plan_changer.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

absl::Status Superseded() {
  return absl::AbortedError("another plan was set before this one was in effect");
}
absl::Status ShuttingDown() { return absl::UnavailableError("the daemon is shutting down"); }

}  // namespace

PlanChanger::PlanChanger(std::string model, const Plan& plan, Fleet* fleet, Scheduler* scheduler)
    : model_(std::move(model)), plan_(plan), fleet_(fleet), scheduler_(scheduler) {}

void PlanChanger::Begin(TimePoint now) { fleet_->SetGroups(plan_.workers, now); }

void PlanChanger::SetPlan(const Plan& plan, PlanChanged done, TimePoint now) {
  Change change{.plan = plan, .done = std::move(done), .started = now};
  if (!renewing()) {
    if (current_.has_value()) Supersede(now);
    return BeginChange(std::move(change), now);
  }
  const std::optional<Change> before = std::exchange(waiting_, std::move(change));
  if (before.has_value()) before->done(Superseded());
}

// One that has switched is in effect: only the old workers have not all ended.
void PlanChanger::Supersede(TimePoint now) {
  if (current_->switched) return FinishSwitched(now);
  Finish(Superseded());
}

void PlanChanger::BeginChange(Change change, TimePoint now) {
  current_ = std::move(change);
  fleet_->SetGroups(current_->plan->workers, now);
  spdlog::info("plan changing model={} starting={} stopping={}", model_, fleet_->change_started(),
               fleet_->change_stopped());
}

void PlanChanger::Renew(int device, Renewed done, TimePoint now) {
  renewals_.push_back({.device = device, .done = std::move(done)});
  if (!current_.has_value()) BeginRenewal(now);
}

void PlanChanger::BeginRenewal(TimePoint now) {
  const Renewal renewal = std::move(renewals_.front());
  renewals_.pop_front();
  spdlog::info("renewing workers model={} device={}", model_, renewal.device);
  current_ = Change{
      .plan = std::nullopt,
      .done = [done = renewal.done](const absl::StatusOr<PlanChange>& c) { done(c.status()); },
      .started = now};
  fleet_->Renew(renewal.device, now);
}

void PlanChanger::Advance(TimePoint now) {
  if (current_.has_value()) AdvanceCurrent(now);
  if (!current_.has_value() && waiting_.has_value()) {
    BeginChange(*std::exchange(waiting_, std::nullopt), now);
  }
  if (!current_.has_value() && !renewals_.empty()) BeginRenewal(now);
}

void PlanChanger::AdvanceCurrent(TimePoint now) {
  if (fleet_->change() == Fleet::Change::kFailed) {
    return Finish(absl::FailedPreconditionError(
        absl::StrCat("the new workers could not be started: ", fleet_->change_error())));
  }
  if (!current_->switched && fleet_->switched()) {
    current_->switched = true;
    if (current_->plan.has_value()) {
      plan_ = *current_->plan;
      ++changes_;
      scheduler_->SetPolicies(plan_.stages, plan_.options, now);
    }
  }
  if (current_->switched && fleet_->change() != Fleet::Change::kInProgress) {
    FinishSwitched(now);
  }
}

void PlanChanger::FinishSwitched(TimePoint now) {
  Finish(PlanChange{.workers_started = fleet_->change_started(),
                    .workers_stopped = fleet_->change_stopped(),
                    .took = now - current_->started});
}

void PlanChanger::Finish(absl::StatusOr<PlanChange> result) {
  const Change change = std::move(*current_);
  current_.reset();
  const bool renewal = !change.plan.has_value();
  if (result.ok()) {
    spdlog::info("{} model={} started={} stopped={}", renewal ? "workers renewed" : "plan changed",
                 model_, result->workers_started, result->workers_stopped);
  } else {
    spdlog::warn("{} model={} reason=\"{}\"", renewal ? "workers not renewed" : "plan not changed",
                 model_, std::string(result.status().message()));
  }
  change.done(std::move(result));
}

void PlanChanger::Abort() {
  if (current_.has_value()) Finish(ShuttingDown());
  const std::optional<Change> waiting = std::exchange(waiting_, std::nullopt);
  if (waiting.has_value()) waiting->done(ShuttingDown());
  for (const Renewal& renewal : std::exchange(renewals_, {})) renewal.done(ShuttingDown());
}

}  // namespace escan
