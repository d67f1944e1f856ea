#include "config/calibration_file.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "config/files.h"
#include "config/mistakes.h"

namespace escan {
namespace {

constexpr int kVersion = 1;
constexpr size_t kMostBins = 64;
// With fewer the statistic of a comparison is not distributed as the test takes it to be.
constexpr int64_t kLeastInABin = 5;
constexpr int64_t kMostInABin = int64_t{1} << 50;
constexpr double kLimit = std::numeric_limits<float>::max();

// Reads a calibration's file. JSON is a part of YAML, so that it is read, and its mistakes named,
// by what reads configurations.
class CalibrationReader {
 public:
  explicit CalibrationReader(const CascadeSpec& cascade) : cascade_(cascade) {}

  std::vector<StageCalibration> Read(const NodeReader& root) const {
    // `report` is for those who calibrate.
    const MapReader map(root, {"version", "cascade", "stages", "report"});
    map.Required("version").AsInt(kVersion, kVersion);
    const NodeReader name = map.Required("cascade");
    ExpectName(name, cascade_.name, "the cascade");
    std::vector<StageCalibration> stages;
    const size_t count = cascade_.stages.size();
    for (const NodeReader& element : map.Required("stages").AsList(count, count)) {
      stages.push_back(ReadStage(element, static_cast<int>(stages.size())));
    }
    return stages;
  }

 private:
  static void ExpectName(const NodeReader& node, const std::string& expected,
                         const std::string& what) {
    const std::optional<std::string> found = node.AsString();
    if (!found.has_value() || *found == expected) return;
    node.AddMistake(absl::StrCat(*found, " is not ", what, ", expected ", expected));
  }

  StageCalibration ReadStage(const NodeReader& node, int index) const {
    const MapReader map(node, {"name", "score", "threshold", "lowest_threshold", "scores"});
    const StageSpec& stage = cascade_.stages[static_cast<size_t>(index)];
    ExpectName(map.Required("name"), stage.name, "the cascade's stage");
    ExpectName(map.Required("score"), std::string(Name(stage.exit.score)), "the stage's score");
    const bool scored = stage.exit.score != ExitScore::kNone;
    StageCalibration calibration;
    if (scored && index + 1 < cascade_.stage_count()) {
      calibration.threshold = AsFloat(map.Required("threshold"));
      const NodeReader lowest = map["lowest_threshold"];
      calibration.lowest_threshold = AsFloat(lowest);
      if (calibration.lowest_threshold > calibration.threshold) {
        lowest.AddMistake(absl::StrCat(*calibration.lowest_threshold, " is above the threshold, ",
                                       calibration.threshold.value_or(0)));
      }
    } else {
      for (const char* key : {"threshold", "lowest_threshold"}) {
        if (map[key].present()) map[key].AddMistake("is not used: the stage has no threshold");
      }
    }
    const NodeReader scores = map["scores"];  // absent where there were too few
    if (scores.present() && !scored) scores.AddMistake("is not used: the stage has no score");
    if (scores.present() && scored) calibration.scores = ReadScores(scores);
    return calibration;
  }

  static std::optional<float> AsFloat(const NodeReader& node) {
    const std::optional<double> value = node.AsNumber(-kLimit, kLimit);
    return value.has_value() ? std::optional(static_cast<float>(*value)) : std::nullopt;
  }

  static ScoreHistogram ReadScores(const NodeReader& node) {
    const MapReader map(node, {"edges", "counts"});
    ScoreHistogram scores;
    for (const NodeReader& element : map.Required("edges").AsList(1, kMostBins - 1)) {
      const std::optional<float> edge = AsFloat(element);
      if (!edge.has_value()) return {};
      if (!scores.edges.empty() && *edge <= scores.edges.back()) {
        element.AddMistake(
            absl::StrCat(*edge, " follows ", scores.edges.back(), ", expected an ascending list"));
        return {};
      }
      scores.edges.push_back(*edge);
    }
    if (scores.edges.empty()) return {};
    const size_t bins = scores.edges.size() + 1;
    for (const NodeReader& element : map.Required("counts").AsList(bins, bins)) {
      const std::optional<int64_t> count = element.AsInteger(kLeastInABin, kMostInABin);
      scores.counts.push_back(static_cast<uint64_t>(count.value_or(kLeastInABin)));
    }
    return scores;
  }

  const CascadeSpec& cascade_;
};

}  // namespace

std::vector<StageCalibration> ReadCalibrationFile(const std::filesystem::path& file,
                                                  const CascadeSpec& cascade,
                                                  const NodeReader& node) {
  const absl::StatusOr<std::string> json = ReadFile(file);
  if (!json.ok()) {
    node.AddMistake(std::string(json.status().message()));
    return {};
  }
  Mistakes mistakes(file.string());
  std::vector<StageCalibration> stages =
      CalibrationReader(cascade).Read(NodeReader::Parse(*json, &mistakes));
  node.mistakes()->Append(mistakes);
  if (mistakes.count() > 0) stages.clear();
  return stages;
}

}  // namespace escan
