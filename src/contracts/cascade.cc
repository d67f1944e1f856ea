#include "escan/cascade.h"

#include <array>
#include <cstddef>
#include <utility>

namespace escan {
namespace {

constexpr std::array<std::pair<ExitScore, std::string_view>, 5> kScoreNames = {
    {{ExitScore::kNone, "none"},
     {ExitScore::kMaxProbability, "max_probability"},
     {ExitScore::kMargin, "margin"},
     {ExitScore::kEntropy, "entropy"},
     {ExitScore::kOutput, "output"}}};

constexpr std::array<std::pair<Precision, std::string_view>, 2> kPrecisionNames = {
    {{Precision::kFp32, "fp32"}, {Precision::kFp16, "fp16"}}};

constexpr std::array<std::pair<MemoryLayout, std::string_view>, 3> kLayoutNames = {
    {{MemoryLayout::kAuto, "auto"},
     {MemoryLayout::kContiguous, "contiguous"},
     {MemoryLayout::kChannelsLast, "channels_last"}}};

constexpr std::array<std::pair<Execution, std::string_view>, 3> kExecutionNames = {
    {{Execution::kAuto, "auto"}, {Execution::kGraph, "graph"}, {Execution::kEager, "eager"}}};

template <typename Enum, size_t kSize>
std::string_view NameIn(const std::array<std::pair<Enum, std::string_view>, kSize>& names,
                        Enum wanted) {
  for (const auto& [value, name] : names) {
    if (value == wanted) return name;
  }
  return "";
}

template <typename Enum, size_t kSize>
std::optional<Enum> FindIn(const std::array<std::pair<Enum, std::string_view>, kSize>& names,
                           std::string_view wanted) {
  for (const auto& [value, name] : names) {
    if (name == wanted) return value;
  }
  return std::nullopt;
}

}  // namespace

std::string_view Name(ExitScore score) { return NameIn(kScoreNames, score); }
std::string_view Name(Precision precision) { return NameIn(kPrecisionNames, precision); }
std::string_view Name(MemoryLayout layout) { return NameIn(kLayoutNames, layout); }
std::string_view FallbackName(const GpuOptions& options) {
  return options.fp32_fallback ? "fp32" : "none";
}

std::string_view Name(Execution execution) { return NameIn(kExecutionNames, execution); }

std::optional<ExitScore> ParseExitScore(std::string_view name) { return FindIn(kScoreNames, name); }
std::optional<Precision> ParsePrecision(std::string_view name) {
  return FindIn(kPrecisionNames, name);
}
std::optional<MemoryLayout> ParseMemoryLayout(std::string_view name) {
  return FindIn(kLayoutNames, name);
}
std::optional<Execution> ParseExecution(std::string_view name) {
  return FindIn(kExecutionNames, name);
}

std::optional<int> CascadeSpec::FindStage(std::string_view stage_name) const {
  for (int i = 0; i < stage_count(); ++i) {
    if (stages[static_cast<size_t>(i)].name == stage_name) return i;
  }
  return std::nullopt;
}

}  // namespace escan
