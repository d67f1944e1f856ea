#include "config/monitoring_reader.h"

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "config/calibration_file.h"
#include "config/scalars.h"
#include "contracts/label.h"

namespace escan {
namespace {

constexpr int kRarestAudit = 1'000'000'000;
constexpr int kMostRemembered = 10'000'000;
constexpr Duration kDefaultKeep = std::chrono::hours(1);

// Reads the keys in the order in which they build on each other.
class MonitoringReader {
 public:
  MonitoringReader(const MapReader& map, const std::filesystem::path& folder, CascadeSpec* spec)
      : map_(map), folder_(folder), spec_(*spec) {}

  void Read() {
    ReadAudit();
    ReadCalibration();
    if (map_["overload"].present()) ReadOverload();
    if (map_["feedback"].present()) ReadFeedback();
  }

 private:
  void ReadAudit() {
    const NodeReader node = map_["audit"];
    if (!node.present()) return;
    spec_.audit_every =
        MapReader(node, {"every"}).Required("every").AsInt(0, kRarestAudit).value_or(0);
    if (spec_.audit_every == 0) return;
    if (spec_.stage_count() == 1) node.AddMistake("the cascade has one stage: nothing exits early");
    ExpectLabel(node);
  }

  // Classes are compared, so answers have to have one.
  void ExpectLabel(const NodeReader& node) const {
    if (spec_.outputs.empty() || LabelOutput(spec_).has_value()) return;
    node.AddMistake(
        "no output of the cascade tells a class, expected one of two elements or more a row, or of "
        "one integer");
  }

  void ReadCalibration() {
    const NodeReader node = map_["calibration"];
    const std::optional<std::filesystem::path> file = node.AsPath(folder_);
    if (!file.has_value()) return;
    spec_.calibration.file = *file;
    spec_.calibration.stages = ReadCalibrationFile(*file, spec_, node);
  }

  void ReadOverload() {
    const NodeReader node =
        MapReader(map_["overload"], {"lower_thresholds_to"}).Required("lower_thresholds_to");
    if (!node.present()) return;
    std::vector<std::string> names;
    for (const StageSpec& stage : spec_.stages) names.push_back(stage.name);
    const MapReader lowered(node, names);
    if (!node.IsMap()) return;
    std::vector<float> lowest;
    bool any = false;
    for (int stage = 0; stage < spec_.stage_count(); ++stage) {
      const NodeReader value = lowered[names[static_cast<size_t>(stage)]];
      any = any || value.present();
      lowest.push_back(value.present() ? ReadLowest(value, stage)
                                       : spec_.stages[static_cast<size_t>(stage)].exit.threshold);
    }
    if (!any) node.AddMistake("is empty, expected the threshold of one stage or more");
    spec_.lowest_thresholds = std::move(lowest);
  }

  float ReadLowest(const NodeReader& node, int index) const {
    const ExitRule& exit = spec_.stages[static_cast<size_t>(index)].exit;
    if (index + 1 == spec_.stage_count()) {
      node.AddMistake("the last stage always answers, it has no threshold");
      return exit.threshold;
    }
    if (exit.score == ExitScore::kNone) {
      node.AddMistake("a stage without a score never answers early, it has no threshold");
      return exit.threshold;
    }
    constexpr float kLimit = std::numeric_limits<float>::max();
    const bool bounded = exit.score != ExitScore::kOutput;
    const std::optional<double> value = node.AsNumber(bounded ? 0 : -kLimit, bounded ? 1 : kLimit);
    if (!value.has_value()) return exit.threshold;
    const auto lowest = static_cast<float>(*value);
    if (lowest >= exit.threshold) {
      node.AddMistake(
          absl::StrCat(lowest, " is not below the stage's threshold, ", exit.threshold));
    }
    if (spec_.calibration.stages.empty()) return lowest;
    const std::optional<float>& floor =
        spec_.calibration.stages[static_cast<size_t>(index)].lowest_threshold;
    if (floor.has_value() && lowest < *floor) {
      node.AddMistake(absl::StrCat(lowest, " is below ", *floor,
                                   ", the lowest threshold within the accuracy of the "
                                   "calibration"));
    }
    return lowest;
  }

  void ReadFeedback() {
    const NodeReader node = map_["feedback"];
    const MapReader map(node, {"samples", "keep"});
    spec_.feedback.samples = map.Required("samples").AsInt(1, kMostRemembered).value_or(0);
    const std::optional<Duration> keep = map["keep"].AsParsed(ParseDuration);
    if (keep == Duration::zero()) map["keep"].AddMistake("0s is too short, expected more");
    spec_.feedback.keep = keep.value_or(kDefaultKeep);
    ExpectLabel(node);
  }

  const MapReader& map_;
  const std::filesystem::path& folder_;
  CascadeSpec& spec_;
};

}  // namespace

void ReadMonitoring(const MapReader& map, const std::filesystem::path& folder, CascadeSpec* spec) {
  MonitoringReader(map, folder, spec).Read();
}

}  // namespace escan
