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

class RightChoiceSearch {
 public:
  explicit RightChoiceSearch(ChoiceTrials* trials) : trials_(*trials) {}

  // Why none was found so far. Aborted: nothing more can be tried.
  const absl::Status& none() const { return none_; }

  std::optional<GpuChoice> FindIn(const std::vector<GpuChoice>& tier) {
    std::vector<std::optional<StepTimes>> times;
    for (const GpuChoice& choice : tier) times.push_back(TimeIfRight(choice));
    while (const std::optional<size_t> fastest = Fastest(times)) {
      if (absl::IsAborted(none_)) break;
      if (IsRight(trials_.BuildToServe(tier[*fastest]))) return tier[*fastest];
      times[*fastest].reset();
    }
    return std::nullopt;
  }

 private:
  std::optional<StepTimes> TimeIfRight(const GpuChoice& choice) {
    if (absl::IsAborted(none_)) return std::nullopt;
    const absl::Status built = trials_.Build(choice);
    Note(built);
    if (!built.ok() || !IsRight(trials_.WhatIsWrong())) return std::nullopt;
    const absl::StatusOr<StepTimes> timed = trials_.Time();
    Note(timed.status());
    return timed.ok() ? std::optional(*timed) : std::nullopt;
  }

  bool IsRight(const absl::StatusOr<std::string>& wrong) {
    Note(wrong.status());
    return wrong.ok() && wrong->empty();
  }

  void Note(const absl::Status& failure) {
    if (absl::IsAborted(failure) || absl::IsResourceExhausted(failure)) none_ = failure;
  }

  ChoiceTrials& trials_;
  absl::Status none_ = absl::NotFoundError("no choice answers rightly");
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
  RightChoiceSearch search(trials);
  for (const std::vector<GpuChoice>& tier : tiers) {
    const std::optional<GpuChoice> found = search.FindIn(tier);
    if (found) return *found;
    if (absl::IsAborted(search.none())) break;
  }
  return search.none();
}

std::vector<std::vector<GpuChoice>> Remedies(const GpuChoice& wrong, const RemedyContext& context) {
  return RemedyList(wrong, context).Make();
}

}  // namespace escan
