#include "config/cascade_reader.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "config/files.h"
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
  CascadeReader(const NodeReader& node, const std::filesystem::path& folder, int device_count)
      : mistakes_before_(node.mistakes()->count()),
        map_(node, {"name", "max_rows", "deadline", "latency_objective", "slots", "inputs",
                    "outputs", "stages", "profile", "plan"}),
        folder_(folder),
        device_count_(device_count) {}

  CascadeConfig Read() {
    ReadContract();
    ReadStages();
    ReadProfile();
    if (PlanCanBeChecked()) ReadPlanOrItsFile();
    if (map_.node().mistakes()->count() == mistakes_before_) {
      config_.spec.slots = ReadSlots(map_["slots"], spec(), config_.plan);
    }
    return std::move(config_);
  }

 private:
  CascadeSpec& spec() { return config_.spec; }

  void ReadContract() {
    spec().name = map_.Required("name").AsParsed(ParseName).value_or("");
    spec().max_rows = map_["max_rows"].AsInt(1, kMaxRequestRows).value_or(kDefaultRequestRows);
    spec().deadline = ReadPositive(map_["deadline"]).value_or(kDefaultDeadline);
    if (const NodeReader objective = map_["latency_objective"]; objective.present()) {
      spec().latency_objective = ReadPositive(MapReader(objective, {"p99"}).Required("p99"));
    }
    spec().inputs = ReadTensors(map_.Required("inputs"), TensorRole::kInput);
    spec().outputs = ReadTensors(map_.Required("outputs"), TensorRole::kOutput);
  }

  void ReadStages() {
    const std::vector<NodeReader> elements = map_.Required("stages").AsList(1, kMaxStages);
    for (size_t i = 0; i < elements.size(); ++i) {
      const bool last = i + 1 == elements.size();
      StageSpec stage = ReadStage(elements[i], spec(), last, folder_);
      spec().stages.push_back(std::move(stage));
    }
  }

  void ReadProfile() {
    const std::optional<std::string> name = map_["profile"].AsString();
    if (!name.has_value()) return;
    if (name->empty()) map_["profile"].AddMistake("is empty, expected the path of a file");
    config_.profile = AbsolutePath(folder_, *name);
  }

  void ReadPlanOrItsFile() {
    const NodeReader node = map_["plan"];
    if (node.IsMap()) {
      config_.plan = ReadPlan(node, spec(), device_count_);
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
    config_.plan = ReadPlan(NodeReader::Parse(*yaml, &mistakes), spec(), device_count_);
    node.mistakes()->Append(mistakes);
  }

  // A plan is about stages with names and buckets.
  bool PlanCanBeChecked() const {
    const std::vector<StageSpec>& stages = config_.spec.stages;
    return !stages.empty() &&
           std::none_of(stages.begin(), stages.end(), [](const StageSpec& stage) {
             return stage.name.empty() || stage.buckets.empty();
           });
  }

  const size_t mistakes_before_;
  const MapReader map_;
  const std::filesystem::path folder_;
  const int device_count_;
  CascadeConfig config_;
};

}  // namespace

CascadeConfig ReadCascade(const NodeReader& node, const std::filesystem::path& folder,
                          int device_count) {
  return CascadeReader(node, folder, device_count).Read();
}

}  // namespace escan
