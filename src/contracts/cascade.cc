#include "escan/cascade.h"

#include <array>
#include <utility>

namespace escan {
namespace {

constexpr std::array<std::pair<ExitScore, std::string_view>, 5> kScoreNames = {
    {{ExitScore::kNone, "none"},
     {ExitScore::kMaxProbability, "max_probability"},
     {ExitScore::kMargin, "margin"},
     {ExitScore::kEntropy, "entropy"},
     {ExitScore::kOutput, "output"}}};

}  // namespace

std::string_view Name(ExitScore score) {
  for (const auto& [value, name] : kScoreNames) {
    if (value == score) return name;
  }
  return "";
}

std::optional<ExitScore> ParseExitScore(std::string_view name) {
  for (const auto& [value, text] : kScoreNames) {
    if (text == name) return value;
  }
  return std::nullopt;
}

std::optional<int> CascadeSpec::FindStage(std::string_view stage_name) const {
  for (int i = 0; i < stage_count(); ++i) {
    if (stages[static_cast<size_t>(i)].name == stage_name) return i;
  }
  return std::nullopt;
}

}  // namespace escan
