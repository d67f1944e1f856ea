#include "config/plan_reader.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/scalars.h"

namespace escan {
namespace {

constexpr size_t kMaxGroups = 64;
constexpr int kMaxCount = 64;
constexpr int kMaxCredits = 4;

std::vector<std::string> StageNames(const CascadeSpec& cascade) {
  std::vector<std::string> names;
  for (const StageSpec& stage : cascade.stages) names.push_back(stage.name);
  return names;
}

std::vector<int> ReadHosted(const NodeReader& node, const CascadeSpec& cascade) {
  std::vector<int> hosted;
  for (const NodeReader& element : node.AsList(1, kMaxStages)) {
    const std::optional<std::string> name = element.AsString();
    if (!name.has_value()) continue;
    const std::optional<int> stage = cascade.FindStage(*name);
    if (!stage.has_value()) {
      element.AddMistake(absl::StrCat("there is no stage ", *name, ", expected one of ",
                                      absl::StrJoin(StageNames(cascade), ", ")));
    } else if (std::find(hosted.begin(), hosted.end(), *stage) != hosted.end()) {
      element.AddMistake(absl::StrCat(*name, " is named twice"));
    } else {
      hosted.push_back(*stage);
    }
  }
  std::sort(hosted.begin(), hosted.end());
  return hosted;
}

// What a group asks of its device, against what a device of its kind can keep.
void CheckShare(const MapReader& map, const WorkerGroup& group, const PlanContext& context) {
  const Device& device = context.devices[static_cast<size_t>(group.device)];
  const NodeReader memory_limit = map["memory_limit"];
  if (device.kind == Device::Kind::kCpu) {
    if (memory_limit.present()) {
      memory_limit.AddMistake(
          absl::StrCat("device ", group.device, " is the cpu, whose memory is not limited here"));
    }
    return;
  }
  if (context.mps != MpsConfig::Mode::kOff) return;
  if (group.thread_percent < 100) {
    map["thread_percent"].AddMistake(
        absl::StrCat(group.thread_percent, " is a share that MPS keeps, and mps.mode is off: ",
                     "processes take turns on the whole GPU, expected 100"));
  }
  if (memory_limit.present()) {
    memory_limit.AddMistake("is a limit that MPS keeps, and mps.mode is off");
  }
}

WorkerGroup ReadGroup(const NodeReader& node, const PlanContext& context) {
  const MapReader map(node,
                      {"count", "device", "thread_percent", "memory_limit", "credits", "stages"});
  const int device_count = static_cast<int>(context.devices.size());
  WorkerGroup group;
  group.count = map["count"].AsInt(1, kMaxCount).value_or(group.count);
  const std::optional<int> device = map["device"].AsInt(0, device_count - 1);
  group.device = device.value_or(group.device);
  group.thread_percent = map["thread_percent"].AsInt(1, 100).value_or(group.thread_percent);
  group.memory_limit = map["memory_limit"].AsParsed(ParseMemorySize).value_or(group.memory_limit);
  group.credits = map["credits"].AsInt(1, kMaxCredits).value_or(group.credits);
  group.stages = ReadHosted(map.Required("stages"), context.cascade);
  if (device.has_value() || !map["device"].present()) CheckShare(map, group, context);
  return group;
}

bool ReadsEarlierStage(const StageSpec& stage) {
  return std::any_of(stage.inputs.begin(), stage.inputs.end(),
                     [](const TensorRef& input) { return input.stage != TensorRef::kRequest; });
}

StagePolicy DefaultPolicy(const StageSpec& stage) { return {.max_batch = stage.buckets.back()}; }

StagePolicy ReadPolicy(const NodeReader& node, const CascadeSpec& cascade, int index) {
  const StageSpec& stage = cascade.stages[static_cast<size_t>(index)];
  const MapReader map(node, {"max_batch", "max_delay", "speculate"});
  StagePolicy policy = DefaultPolicy(stage);
  policy.max_batch = map["max_batch"].AsInt(1, stage.buckets.back()).value_or(policy.max_batch);
  policy.max_delay = map["max_delay"].AsParsed(ParseDuration).value_or(policy.max_delay);
  const NodeReader speculate = map["speculate"];
  policy.speculate = speculate.AsBool().value_or(policy.speculate);
  if (policy.speculate && index == 0) {
    speculate.AddMistake("the first stage has none before it to speculate on");
  } else if (policy.speculate && ReadsEarlierStage(stage)) {
    speculate.AddMistake(
        absl::StrCat(stage.name, " reads outputs of an earlier stage, so it cannot run before it"));
  }
  return policy;
}

PlanOptions ReadOptions(const NodeReader& node) {
  const MapReader map(node, {"regroup", "cancel"});
  PlanOptions options;
  options.regroup = map["regroup"].AsBool().value_or(options.regroup);
  options.cancel = map["cancel"]
                       .AsOneOf<CancelPolicy>(
                           {{"queued", CancelPolicy::kQueued}, {"never", CancelPolicy::kNever}})
                       .value_or(options.cancel);
  return options;
}

// Every stage needs a host; without regrouping a batch's survivors stay at their worker.
void CheckHosting(const NodeReader& workers, const Plan& plan, const CascadeSpec& cascade) {
  for (int stage = 0; stage < cascade.stage_count(); ++stage) {
    const bool hosted =
        std::any_of(plan.workers.begin(), plan.workers.end(), [&](const WorkerGroup& group) {
          return std::binary_search(group.stages.begin(), group.stages.end(), stage);
        });
    if (!hosted) {
      workers.AddMistake(
          absl::StrCat("no worker hosts stage ", cascade.stages[static_cast<size_t>(stage)].name));
    }
  }
  if (plan.options.regroup) return;
  for (size_t i = 0; i < plan.workers.size(); ++i) {
    const std::vector<int>& stages = plan.workers[i].stages;
    const int first = stages.front();
    if (static_cast<int>(stages.size()) == cascade.stage_count() - first) continue;
    workers.AddMistake(absl::StrCat(
        "with regroup: false a worker hosts all stages after its first, but workers[", i,
        "] does not host every stage after ", cascade.stages[static_cast<size_t>(first)].name));
  }
}

}  // namespace

Plan ReadPlan(const NodeReader& node, const PlanContext& context) {
  const CascadeSpec& cascade = context.cascade;
  const size_t mistakes_before = node.mistakes()->count();
  const MapReader map(node, {"workers", "stages", "options"});
  Plan plan;
  const NodeReader workers = map.Required("workers");
  for (const NodeReader& element : workers.AsList(1, kMaxGroups)) {
    plan.workers.push_back(ReadGroup(element, context));
  }
  const MapReader policies(map["stages"], StageNames(cascade));
  for (int i = 0; i < cascade.stage_count(); ++i) {
    const StageSpec& stage = cascade.stages[static_cast<size_t>(i)];
    plan.stages.push_back(ReadPolicy(policies[stage.name], cascade, i));
  }
  plan.options = ReadOptions(map["options"]);
  const bool readable = node.present() && node.mistakes()->count() == mistakes_before;
  if (readable) CheckHosting(workers, plan, cascade);
  return plan;
}

Plan SafePlan(const CascadeSpec& cascade) {
  Plan plan;
  WorkerGroup& worker = plan.workers.emplace_back();
  for (int i = 0; i < cascade.stage_count(); ++i) {
    worker.stages.push_back(i);
    plan.stages.push_back(DefaultPolicy(cascade.stages[static_cast<size_t>(i)]));
  }
  return plan;
}

}  // namespace escan
