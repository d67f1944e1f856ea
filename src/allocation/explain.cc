#include "allocation/explain.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace escan {
namespace {

using Names = std::vector<std::string>;

const std::string& NameOf(const Names& names, int stage) {
  return names[static_cast<size_t>(stage)];
}

std::string HostedStages(const WorkerGroup& group, const Names& names) {
  return absl::StrJoin(group.stages, ", ", [&](std::string* out, int stage) {
    absl::StrAppend(out, NameOf(names, stage));
  });
}

std::string Milliseconds(Seconds time) {
  if (!std::isfinite(time.count())) return "unbounded";
  return absl::StrFormat("%.3g ms", time.count() * 1e3);
}

std::string Rate(double rate) {
  return std::isfinite(rate) ? absl::StrFormat("%.0f/s", rate) : "none";
}

std::string Workers(const Plan& plan, const Names& names) {
  const auto describe = [&](std::string* out, const WorkerGroup& group) {
    absl::StrAppendFormat(out, "%d x %d%% [%s]", group.count, group.thread_percent,
                          HostedStages(group, names));
  };
  return absl::StrCat(absl::StrJoin(plan.workers, " + ", describe),
                      plan.options.regroup ? "" : " not regrouped");
}

std::string Batches(const Plan& plan) {
  return absl::StrJoin(plan.stages, " ", [](std::string* out, const StagePolicy& policy) {
    absl::StrAppend(out, policy.max_batch);
  });
}

void DescribeGroups(const PlannedPlan& planned, const Names& names, std::string* text) {
  for (size_t i = 0; i < planned.plan.workers.size(); ++i) {
    const WorkerGroup& group = planned.plan.workers[i];
    absl::StrAppendFormat(text, "  group %d: %d x %d%% of device %d, credits %d, busy %.0f%%: %s\n",
                          i, group.count, group.thread_percent, group.device, group.credits,
                          planned.prediction.division.busy[i] * 100, HostedStages(group, names));
  }
}

void DescribeStages(const PlannedPlan& planned, const Names& names, std::string* text) {
  for (size_t i = 0; i < planned.plan.stages.size(); ++i) {
    const StagePolicy& policy = planned.plan.stages[i];
    absl::StrAppendFormat(text, "  stage %s: max_batch %d, max_delay %s, batches of about %.3g\n",
                          names[i], policy.max_batch, Milliseconds(policy.max_delay),
                          planned.prediction.expected_batch[i]);
  }
  if (!planned.plan.options.regroup) {
    absl::StrAppend(text, "  batches stay on their worker to the end and are not regrouped\n");
  }
}

std::string DescribeBottleneck(const Bottleneck& bottleneck, const Names& names) {
  switch (bottleneck.kind) {
    case Bottleneck::Kind::kBus:
      return "the bus to the devices";
    case Bottleneck::Kind::kDevice:
      return absl::StrFormat("device %d, most of all by stage %s", bottleneck.device,
                             NameOf(names, bottleneck.stage));
    case Bottleneck::Kind::kWorkers:
      return absl::StrFormat("the workers of group %d, most of all by stage %s", bottleneck.group,
                             NameOf(names, bottleneck.stage));
  }
  return "";
}

}  // namespace

std::string Explain(const PlannedPlan& planned, const Names& names) {
  const Prediction& found = planned.prediction;
  const Capacity& capacity = found.capacity;
  std::string text;
  DescribeGroups(planned, names, &text);
  DescribeStages(planned, names, &text);
  absl::StrAppendFormat(&text, "capacity %s (workers %s, device %s, bus %s), goodput %s\n",
                        Rate(capacity.rate), Rate(capacity.worker_bound),
                        Rate(capacity.device_bound), Rate(capacity.bus_bound), Rate(found.goodput));
  absl::StrAppendFormat(&text, "p99 at %s: at most %s\n", Rate(found.rate),
                        Milliseconds(found.p99));
  absl::StrAppendFormat(&text, "memory %.0f MiB a device\n",
                        static_cast<double>(found.memory_bytes) / (1 << 20));
  absl::StrAppend(&text, "bound by ", DescribeBottleneck(found.bottleneck, names), "\n");
  return text;
}

std::string Explain(const Allocation& allocation, const Workload& workload, const Names& names) {
  std::string text;
  if (allocation.goal == Goal::kLatency) {
    absl::StrAppendFormat(&text, "the least p99 at %s with %.1f times the capacity\n",
                          Rate(*workload.rate), kHeadroom);
  } else {
    absl::StrAppend(&text, "the highest rate",
                    workload.objective
                        ? absl::StrCat(" with a p99 of at most ", Milliseconds(*workload.objective))
                        : "",
                    workload.rate ? "; no plan serves the given rate as wanted" : "", "\n");
  }
  absl::StrAppend(&text, Explain(allocation.best, names), "runners-up\n");
  for (const PlannedPlan& other : allocation.runners_up) {
    absl::StrAppendFormat(&text, "  %s, batches %s: goodput %s, p99 %s at %s\n",
                          Workers(other.plan, names), Batches(other.plan),
                          Rate(other.prediction.goodput), Milliseconds(other.prediction.p99),
                          Rate(other.prediction.rate));
  }
  absl::StrAppendFormat(&text, "%d plans evaluated\n", allocation.evaluations);
  return text;
}

}  // namespace escan
