#include "ctl/monitoring_lines.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace escan::ctl {
namespace {

std::string PercentText(const v1::Proportion& part) {
  return absl::StrFormat("%.3g %% [%.3g, %.3g] of %d", 100 * part.ratio(), 100 * part.low(),
                         100 * part.high(), part.samples());
}

std::string Line(const std::string& heading, const std::vector<std::string>& parts) {
  if (parts.empty()) return "";
  return absl::StrCat("  ", heading, ": ", absl::StrJoin(parts, "; "), "\n");
}

// What the last stage says of samples that exited early.
std::string AuditLine(const v1::CascadeStatus& cascade) {
  std::vector<std::string> parts;
  for (const v1::StageStatus& stage : cascade.stages()) {
    if (!stage.has_disagreement()) continue;
    parts.push_back(absl::StrCat(stage.name(), " ", PercentText(stage.disagreement())));
  }
  return Line("exits that the last stage disagrees with", parts);
}

// What labels say of the stages' answers.
std::string AccuracyLine(const v1::CascadeStatus& cascade) {
  std::vector<std::string> parts;
  for (const v1::StageStatus& stage : cascade.stages()) {
    if (!stage.has_accuracy()) continue;
    parts.push_back(absl::StrCat(stage.name(), " ", PercentText(stage.accuracy())));
  }
  return Line("accuracy by labels", parts);
}

std::string DriftText(const v1::StageStatus& stage) {
  const v1::Drift& drift = stage.drift();
  if (drift.state() == "waiting") return stage.name() + " waits for a full window";
  if (drift.state() == "other_thresholds") {
    return stage.name() + " not compared, as earlier thresholds are not the calibration's";
  }
  return absl::StrFormat("%s %s (%.1f %% moved, of %d)", stage.name(),
                         drift.state() == "drifted" ? "DRIFTED" : "as calibrated",
                         100 * drift.moved(), drift.samples());
}

std::string DriftLine(const v1::CascadeStatus& cascade) {
  std::vector<std::string> parts;
  for (const v1::StageStatus& stage : cascade.stages()) {
    if (stage.has_drift()) parts.push_back(DriftText(stage));
  }
  return Line("scores", parts);
}

std::string BrownOutLine(const v1::CascadeStatus& cascade) {
  if (cascade.brown_out().level() == 0) return "";
  return absl::StrFormat("  overload: thresholds are lowered, level %d of %d\n",
                         cascade.brown_out().level(), cascade.brown_out().levels());
}

}  // namespace

std::string MonitoringLines(const v1::CascadeStatus& cascade) {
  return BrownOutLine(cascade) + DriftLine(cascade) + AuditLine(cascade) + AccuracyLine(cascade);
}

}  // namespace escan::ctl
