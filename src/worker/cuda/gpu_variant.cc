#include "worker/cuda/gpu_variant.h"

#include <algorithm>
#include <array>

namespace escan {
namespace {

constexpr double kWorthBenchmarking = 0.9;

constexpr std::array kRewritings = {Rewriting::kNone, Rewriting::kOptimized, Rewriting::kFused,
                                    Rewriting::kCompiled};
constexpr std::array<std::string_view, kRewritings.size()> kNames = {"frozen", "optimized", "fused",
                                                                     "aot_inductor"};

// The mean of both times, 1 for those of `base`.
double Relative(const StepTimes& times, const StepTimes& base) {
  return (times.smallest / base.smallest + times.largest / base.largest) / 2;
}

}  // namespace

std::string Name(const GpuVariant& variant) {
  std::string name(kNames[static_cast<size_t>(variant.rewriting)]);
  if (variant.channels_last) name += "+channels_last";
  return name;
}

std::optional<GpuVariant> ParseGpuVariant(std::string_view name) {
  for (const Rewriting rewriting : kRewritings) {
    for (const bool channels_last : {false, true}) {
      const GpuVariant variant = {rewriting, channels_last};
      if (Name(variant) == name) return variant;
    }
  }
  return std::nullopt;
}

std::vector<GpuVariant> GpuCandidates(MemoryLayout layout, const ModelTraits& traits) {
  if (traits.compiled) return {{.rewriting = Rewriting::kCompiled}};
  std::vector<GpuVariant> candidates;
  for (const bool channels_last : {false, true}) {
    const bool allowed =
        layout == MemoryLayout::kAuto || channels_last == (layout == MemoryLayout::kChannelsLast);
    // Without convolutions the order makes no difference.
    if (traits.has_convolutions ? !allowed : channels_last) continue;
    for (const Rewriting rewriting : kRewritings) {
      if (rewriting == Rewriting::kCompiled) continue;
      if (rewriting == Rewriting::kFused && !traits.has_convolutions) continue;
      candidates.push_back({.rewriting = rewriting, .channels_last = channels_last});
    }
  }
  return candidates;
}

std::optional<size_t> Fastest(const std::vector<std::optional<StepTimes>>& times) {
  const auto first = std::find_if(times.begin(), times.end(), [](const auto& t) { return t; });
  if (first == times.end()) return std::nullopt;
  const auto relative = [&](const std::optional<StepTimes>& t) { return Relative(*t, **first); };
  auto fastest = first;
  for (auto candidate = first; candidate != times.end(); ++candidate) {
    if (*candidate && relative(*candidate) < relative(*fastest)) fastest = candidate;
  }
  return static_cast<size_t>(fastest - times.begin());
}

std::vector<int> WorthBenchmarking(const std::vector<int>& buckets,
                                   const std::vector<double>& guessed,
                                   const std::vector<double>& measured) {
  std::vector<int> worth;
  for (size_t i = 0; i < buckets.size(); ++i) {
    if (measured[i] < kWorthBenchmarking * guessed[i]) worth.push_back(buckets[i]);
  }
  return worth;
}

}  // namespace escan
