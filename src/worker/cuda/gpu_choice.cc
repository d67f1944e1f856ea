#include "worker/cuda/gpu_choice.h"

#include <array>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace escan {
namespace {

// Measured on an H200: 8 and 16 were right for every share, larger ones, which are faster, for
// some.
constexpr std::array kPlannedMultiprocessors = {64, 48, 40, 32, 24, 16, 8};

class RemedyList {
 public:
  RemedyList(const GpuChoice& wrong, const RemedyContext& context)
      : wrong_(wrong), context_(context) {}

  std::vector<std::vector<GpuChoice>> Make() {
    AddBlasPlans();
    AddVariants();
    if (context_.traits.has_convolutions) AddAlgorithms();
    if (wrong_.graph && context_.options.execution == Execution::kAuto) AddEager();
    const bool exact = context_.options.precision == Precision::kFp32;
    if (context_.options.fp32_fallback && !exact && !context_.traits.compiled) AddFp32();
    return std::move(tiers_);
  }

 private:
  // The choice with each plan for fewer multiprocessors than there are.
  std::vector<GpuChoice> Planned(const GpuChoice& choice) const {
    std::vector<GpuChoice> planned;
    for (const int target : kPlannedMultiprocessors) {
      if (target >= context_.multiprocessors) continue;
      planned.push_back(choice);
      planned.back().blas.multiprocessors = target;
    }
    return planned;
  }

  // The choice as it is, and planned for the fewest that are still fast.
  void AddBothTo(std::vector<GpuChoice>& tier, const GpuChoice& choice) const {
    tier.push_back(choice);
    if (context_.multiprocessors <= kSurestPlan) return;
    tier.push_back(choice);
    tier.back().blas.multiprocessors = kSurestPlan;
  }

  void AddBlasPlans() {
    tiers_.push_back(Planned(wrong_));
    GpuChoice other = wrong_;
    other.blas.cublaslt = true;
    tiers_.push_back({other});
  }

  void AddVariants() {
    std::vector<GpuChoice> tier;
    for (const GpuVariant& variant : GpuCandidates(context_.options.layout, context_.traits)) {
      if (variant == wrong_.variant) continue;
      GpuChoice other = wrong_;
      other.variant = variant;
      AddBothTo(tier, other);
    }
    tiers_.push_back(std::move(tier));
  }

  void AddAlgorithms() {
    std::vector<GpuChoice> tier;
    GpuChoice other = wrong_;
    other.benchmarked = wrong_.benchmarked.empty() ? context_.buckets : std::vector<int>();
    AddBothTo(tier, other);
    tiers_.push_back(std::move(tier));
    GpuChoice without = wrong_;
    without.cudnn = false;
    without.benchmarked.clear();
    if (!context_.traits.compiled) without.variant = {};
    tiers_.push_back({without});
    tiers_.push_back(Planned(without));
  }

  void AddEager() {
    GpuChoice eager = wrong_;
    eager.graph = false;
    eager.eager_reason = "captured, it answers wrongly";
    std::vector<GpuChoice> tier;
    AddBothTo(tier, eager);
    tiers_.push_back(std::move(tier));
  }

  void AddFp32() {
    GpuChoice exact = wrong_;
    exact.fp32 = true;
    tiers_.push_back({exact});
  }

  static constexpr int kSurestPlan = 16;

  const GpuChoice& wrong_;
  const RemedyContext& context_;
  std::vector<std::vector<GpuChoice>> tiers_;
};

}  // namespace

std::string Describe(const GpuChoice& choice) {
  std::vector<std::string> parts = {Name(choice.variant)};
  if (choice.fp32) parts.emplace_back("in FP32");
  if (choice.blas.cublaslt) parts.emplace_back("cuBLASLt");
  if (choice.blas.multiprocessors > 0) {
    parts.push_back(absl::StrCat("cuBLAS for ", choice.blas.multiprocessors, " multiprocessors"));
  }
  if (!choice.cudnn) parts.emplace_back("without cuDNN");
  if (!choice.benchmarked.empty()) {
    parts.push_back(absl::StrCat("cuDNN measured at ", absl::StrJoin(choice.benchmarked, ",")));
  }
  if (!choice.graph) parts.emplace_back("eager");
  return absl::StrJoin(parts, ", ");
}

absl::StatusOr<GpuChoice> FindRightChoice(const std::vector<std::vector<GpuChoice>>& tiers,
                                          ChoiceTrials* trials) {
  const auto time = [&](const GpuChoice& choice) -> absl::StatusOr<StepTimes> {
    const absl::Status built = trials->Build(choice);
    if (!built.ok()) return built;
    const absl::StatusOr<std::string> wrong = trials->WhatIsWrong();
    if (!wrong.ok()) return wrong.status();
    if (!wrong->empty()) return absl::NotFoundError(*wrong);
    return trials->Time();
  };
  absl::Status none = absl::NotFoundError("no choice answers rightly");
  for (const std::vector<GpuChoice>& tier : tiers) {
    std::vector<std::optional<StepTimes>> times;
    for (const GpuChoice& choice : tier) {
      const absl::StatusOr<StepTimes> timed = time(choice);
      if (absl::IsAborted(timed.status())) return timed.status();
      if (absl::IsResourceExhausted(timed.status())) none = timed.status();
      times.push_back(timed.ok() ? std::optional(*timed) : std::nullopt);
    }
    if (const std::optional<size_t> fastest = Fastest(times)) return tier[*fastest];
  }
  return none;
}

std::vector<std::vector<GpuChoice>> Remedies(const GpuChoice& wrong, const RemedyContext& context) {
  return RemedyList(wrong, context).Make();
}

}  // namespace escan
