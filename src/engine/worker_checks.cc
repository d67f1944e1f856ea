#include "engine/worker_checks.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>
#include <utility>

namespace escan {
namespace {

BucketCheck CheckOf(const CheckFrame& frame) {
  return {.stage = static_cast<int>(frame.stage),
          .rows = static_cast<int>(frame.rows),
          .verdict = frame.verdict,
          .step = std::chrono::nanoseconds(frame.step_ns),
          .least_score = frame.least_score,
          .greatest_score = frame.greatest_score,
          .way = frame.way.data(),
          .message = frame.message.data()};
}

}  // namespace

void WorkerChecks::Take(WorkerId worker, const CheckFrame& frame, WorkerLink* link) {
  if (frame.stage >= cascade_.stages.size()) return;
  BucketCheck check = CheckOf(frame);
  const std::vector<BucketCheck>& before = link->checks();
  const bool said = !before.empty() && before.back().stage == check.stage &&
                    before.back().message == check.message;
  if (!said && (check.verdict != Verdict::kRight || !check.message.empty())) {
    spdlog::warn(
        "answers checked model={} worker={} stage={} rows={} verdict=\"{}\" way=\"{}\" "
        "reason=\"{}\"",
        cascade_.name, worker, cascade_.stages[frame.stage].name, check.rows, Name(check.verdict),
        check.way, check.message);
  }
  link->Checked(std::move(check));
}

void WorkerChecks::Review(const WorkerLink& link, const std::vector<float>& thresholds) {
  for (const std::string& odd : review_.Look(link.checks(), thresholds)) {
    spdlog::warn("odd cascade model={} reason=\"{}\"", cascade_.name, odd);
  }
}

void WorkerChecks::Assign(WorkerId worker, const WorkerGroup& role) {
  const auto ended = of_ended_.find(worker);
  if (ended != of_ended_.end() && ended->second.role != role) of_ended_.erase(ended);
}

const std::vector<BucketCheck>* WorkerChecks::of_ended(WorkerId worker) const {
  const auto ended = of_ended_.find(worker);
  return ended == of_ended_.end() ? nullptr : &ended->second.checks;
}

bool WorkerChecks::HandleEnd(WorkerId worker, const WorkerLink& link) {
  of_ended_[worker] = {.role = link.role(), .checks = link.checks()};
  return std::ranges::any_of(
      link.checks(), [](const BucketCheck& check) { return check.verdict == Verdict::kWrong; });
}

}  // namespace escan
