#include "server/admin/decision_status.h"

#include <cmath>
#include <string>

#include "server/admin/admin_status.h"

namespace escan {
namespace {

void SetTime(TimePoint time, const Moment& now, google::protobuf::Timestamp* to) {
  const Duration date = now.wall.time_since_epoch() - (now.monotonic - time);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(date);
  to->set_seconds(seconds.count());
  to->set_nanos(static_cast<int32_t>((date - seconds).count()));
}

void Describe(const SimulatedFigures& figures, v1::PlanFigures* to) {
  to->set_capacity(figures.capacity);
  to->set_goodput(figures.goodput);
  if (!std::isfinite(figures.p99.count())) return;
  SetDuration(std::chrono::duration_cast<Duration>(figures.p99), to->mutable_p99());
}

}  // namespace

v1::PlanDecision Describe(const PlanDecision& decision, const Moment& now) {
  v1::PlanDecision described;
  SetTime(decision.time, now, described.mutable_time());
  described.set_trigger(std::string(Name(decision.trigger)));
  described.set_cause(decision.cause);
  const Workload& workload = decision.workload;
  for (size_t i = 0; i + 1 < workload.exit_ratios.size(); ++i) {
    described.add_exit_ratios(workload.exit_ratios[i]);
    described.add_samples(decision.samples[i]);
  }
  if (workload.rate.has_value()) described.set_rate(*workload.rate);
  described.set_rows_per_request(static_cast<uint32_t>(workload.rows_per_request));
  if (decision.before.has_value()) Describe(*decision.before, described.mutable_before());
  if (decision.after.has_value()) Describe(*decision.after, described.mutable_after());
  described.set_action(std::string(Name(decision.action)));
  described.set_reason(decision.reason);
  SetDuration(decision.search_time, described.mutable_search_time());
  SetDuration(decision.change_time, described.mutable_change_time());
  return described;
}

}  // namespace escan
