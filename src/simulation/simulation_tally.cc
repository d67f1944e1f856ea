#include "simulation/simulation_tally.h"

#include <algorithm>
#include <cstddef>

namespace escan {

SimulationTally::SimulationTally(const Plan& plan, int64_t requests, Duration objective,
                                 std::optional<LateLimit> limit)
    : plan_(plan),
      requests_(requests),
      objective_(objective),
      limit_(limit),
      step_times_(plan.stages.size()),
      stage_busy_(plan.stages.size()),
      group_busy_(plan.workers.size()) {
  report_.stages.resize(plan.stages.size());
  latencies_.reserve(static_cast<size_t>(requests));
}

void SimulationTally::Sent(TimePoint now) {
  if (!begun()) start_ = now;
  ++report_.requests.sent;
}

void SimulationTally::Ended(RequestEnd end, int rows, TimePoint sent, TimePoint now) {
  ++ended_;
  report_.elapsed = now - start_;
  switch (end) {
    case RequestEnd::kServed:
      ++report_.requests.served;
      report_.samples += rows;
      if (now - sent <= objective_) good_samples_ += rows;
      if (limit_ && now - sent > limit_->latency) ++late_;
      latencies_.push_back(now - sent);
      break;
    case RequestEnd::kRefused:
      ++report_.requests.refused;
      break;
    case RequestEnd::kDeadlineExceeded:
      ++report_.requests.deadline_exceeded;
      break;
  }
}

bool SimulationTally::past_limit() const {
  const int64_t lost = ended_ - report_.requests.served;
  return limit_ && std::max(late_, lost) > limit_->requests;
}

void SimulationTally::Ran(const Step& step) {
  if (!begun() || over()) return;
  StageFigures& figures = at(step.stage);
  ++figures.batches;
  figures.samples += step.rows;
  const auto stage = static_cast<size_t>(step.stage);
  step_times_[stage] += step.end - step.begin;
  const Duration measured = step.end - std::max(step.begin, start_);
  stage_busy_[stage] += measured;
  group_busy_[static_cast<size_t>(step.group)] += measured;
}

double SimulationTally::Part(Duration busy, int workers) const {
  const Seconds available = Seconds(report_.elapsed) * workers;
  return available > Seconds::zero() ? busy / available : 0;
}

SimulationReport SimulationTally::Report() const {
  SimulationReport report = report_;
  const double elapsed = Seconds(report.elapsed).count();
  if (elapsed > 0) {
    report.samples_per_second = static_cast<double>(report.samples) / elapsed;
    report.goodput_per_second = static_cast<double>(good_samples_) / elapsed;
  }
  report.latency = Summarize(latencies_);
  std::vector<int> hosts(report.stages.size());
  for (size_t g = 0; g < plan_.workers.size(); ++g) {
    const WorkerGroup& group = plan_.workers[g];
    report.group_utilisation.push_back(Part(group_busy_[g], group.count));
    for (const int stage : group.stages) hosts[static_cast<size_t>(stage)] += group.count;
  }
  for (size_t s = 0; s < report.stages.size(); ++s) {
    StageFigures& figures = report.stages[s];
    if (figures.batches > 0) figures.mean_step = step_times_[s] / figures.batches;
    figures.utilisation = Part(stage_busy_[s], hosts[s]);
  }
  return report;
}

}  // namespace escan
