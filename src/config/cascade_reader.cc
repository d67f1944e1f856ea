#include "config/cascade_reader.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "allocation/search_grid.h"
#include "arrays/probe_rows.h"
#include "config/files.h"
#include "config/monitoring_reader.h"
#include "config/plan_reader.h"
#include "config/scalars.h"
#include "config/slots.h"
#include "config/stage_reader.h"
#include "config/tensor_reader.h"

namespace escan {
namespace {

constexpr int kMaxRequestRows = 4096;
constexpr int kDefaultRequestRows = 128;
constexpr Duration kDefaultDeadline = std::chrono::seconds(1);
constexpr int kDefaultVerifyEvery = 10'000;
constexpr int kRarestVerification = 1'000'000'000;

std::optional<Duration> ReadPositive(const NodeReader& node) {
  const std::optional<Duration> duration = node.AsParsed(ParseDuration);
  if (duration == Duration::zero()) node.AddMistake("0s is too short, expected more");
  return duration;
}

// Reads the parts of a cascade in the order in which they build on each other. A part that could
// not be read stays empty, and what builds on it is not checked against it: one mistake is not
// reported again as its consequences.
class CascadeReader {
 public:
  CascadeReader(const NodeReader& node, const std::filesystem::path& folder,
                const std::vector<Device>& devices, MpsConfig::Mode mps)
      : mistakes_before_(node.mistakes()->count()),
        map_(node, {"name", "max_rows", "deadline", "latency_objective", "slots", "inputs",
                    "outputs", "stages", "probe", "verify", "audit", "calibration", "overload",
                    "feedback", "profile", "plan"}),
        folder_(folder),
        devices_(devices),
        mps_(mps) {}

  CascadeConfig Read() {
    ReadContract();
    ReadStages();
    ReadProbe();
    config_.profile = map_["profile"].AsPath(folder_).value_or("");
    if (StagesCanBeReferredTo()) {
      ReadMonitoring(map_, folder_, &spec());
      ReadPlanOrItsFile();
    }
    if (map_.node().mistakes()->count() == mistakes_before_) {
      config_.spec.slots = ReadSlots(map_["slots"], spec(), LargestPlan());
    }
    return std::move(config_);
  }

 private:
  CascadeSpec& spec() { return config_.spec; }
  // Slots stay as they are when an automatic plan gets more workers.
  Plan LargestPlan() const {
    Plan plan = config_.plan;
    if (config_.plan_is_auto && !config_.profile.empty()) {
      plan.workers.front().count = kMostClients * static_cast<int>(devices_.size());
      plan.workers.front().credits = 2;
    }
    return plan;
  }
  PlanContext plan_context() { return {spec(), devices_, mps_}; }

  void ReadContract() {
    spec().name = map_.Required("name").AsParsed(ParseName).value_or("");
    spec().max_rows = map_["max_rows"].AsInt(1, kMaxRequestRows).value_or(kDefaultRequestRows);
    spec().deadline = ReadPositive(map_["deadline"]).value_or(kDefaultDeadline);
    if (const NodeReader objective = map_["latency_objective"]; objective.present()) {
      spec().latency_objective = ReadPositive(MapReader(objective, {"p99"}).Required("p99"));
    }
    spec().verify_every = ReadVerifyEvery();
    spec().inputs = ReadTensors(map_.Required("inputs"), TensorRole::kInput);
    spec().outputs = ReadTensors(map_.Required("outputs"), TensorRole::kOutput);
  }

  int ReadVerifyEvery() const {
    const NodeReader verify = map_["verify"];
    if (!verify.present()) return kDefaultVerifyEvery;
    return MapReader(verify, {"every"})
        .Required("every")
        .AsInt(0, kRarestVerification)
        .value_or(kDefaultVerifyEvery);
  }

  void ReadStages() {
    const std::vector<NodeReader> elements = map_.Required("stages").AsList(1, kMaxStages);
    for (size_t i = 0; i < elements.size(); ++i) {
      const bool last = i + 1 == elements.size();
      StageSpec stage = ReadStage(elements[i], spec(), last, folder_);
      spec().stages.push_back(std::move(stage));
    }
  }

  void ReadProbe() {
    const NodeReader node = map_["probe"];
    if (!node.present()) return;
    spec().probe = node.AsPath(folder_).value_or("");
    if (spec().probe.empty() || spec().inputs.empty()) return;
    const absl::StatusOr<std::vector<std::string>> rows = ReadProbeRows(spec());
    if (!rows.ok()) node.AddMistake(std::string(rows.status().message()));
  }

  void ReadPlanOrItsFile() {
    const NodeReader node = map_["plan"];
    if (node.IsMap()) {
      config_.plan = ReadPlan(node, plan_context());
      return;
    }
    const std::optional<std::string> text = node.AsString();
    if (text.has_value() && (text->ends_with(".yaml") || text->ends_with(".yml"))) {
      ReadPlanFile(node, (folder_ / *text).lexically_normal());
    } else if (!text.has_value() || text == "auto") {
      config_.plan_is_auto = true;
      config_.plan = SafePlan(spec());
    } else {
      node.AddMistake(absl::StrCat(
          *text, " is neither auto nor the name of a .yaml or .yml file nor a plan itself"));
    }
  }

  void ReadPlanFile(const NodeReader& node, const std::filesystem::path& file) {
    const absl::StatusOr<std::string> yaml = ReadFile(file);
    if (!yaml.ok()) {
      node.AddMistake(std::string(yaml.status().message()));
      return;
    }
    Mistakes mistakes(file.string());
    config_.plan = ReadPlan(NodeReader::Parse(*yaml, &mistakes), plan_context());
    node.mistakes()->Append(mistakes);
  }

  // By a plan, which is about stages with names and buckets, and by what watches over them.
  bool StagesCanBeReferredTo() const {
    const std::vector<StageSpec>& stages = config_.spec.stages;
    return !stages.empty() &&
           std::none_of(stages.begin(), stages.end(), [](const StageSpec& stage) {
             return stage.name.empty() || stage.buckets.empty();
           });
  }

  const size_t mistakes_before_;
  const MapReader map_;
  const std::filesystem::path folder_;
  const std::vector<Device>& devices_;
  const MpsConfig::Mode mps_;
  CascadeConfig config_;
};

}  // namespace

CascadeConfig ReadCascade(const NodeReader& node, const std::filesystem::path& folder,
                          const std::vector<Device>& devices, MpsConfig::Mode mps) {
  return CascadeReader(node, folder, devices, mps).Read();
}

}  // namespace escan
