#include "controller/plan_decision.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace escan {
namespace {

std::string RatioFields(const PlanDecision& decision) {
  std::vector<std::string> ratios;
  for (size_t i = 0; i + 1 < decision.workload.exit_ratios.size(); ++i) {
    ratios.push_back(absl::StrFormat("%.3f", decision.workload.exit_ratios[i]));
  }
  return absl::StrJoin(ratios, ",");
}

std::string FigureFields(std::string_view prefix, const std::optional<SimulatedFigures>& figures) {
  if (!figures.has_value()) return "";
  return absl::StrFormat(" %s_capacity=%.1f %s_goodput=%.1f %s_p99_ms=%.3f", prefix,
                         figures->capacity, prefix, figures->goodput, prefix,
                         figures->p99.count() * 1e3);
}

}  // namespace

std::string_view Name(SearchTrigger trigger) {
  switch (trigger) {
    case SearchTrigger::kFirstEstimates:
      return "first_estimates";
    case SearchTrigger::kExitRatio:
      return "exit_ratio";
    case SearchTrigger::kRate:
      return "rate";
    case SearchTrigger::kOverload:
      return "overload";
    case SearchTrigger::kThaw:
      return "thaw";
    case SearchTrigger::kWrongAnswers:
      return "wrong_answers";
    case SearchTrigger::kRetry:
      return "retry";
  }
  return "";
}

std::string_view Name(PlanAction action) {
  switch (action) {
    case PlanAction::kKept:
      return "kept";
    case PlanAction::kChanged:
      return "changed";
    case PlanAction::kFailed:
      return "failed";
    case PlanAction::kChanging:
      return "changing";
  }
  return "";
}

std::string ToFields(const PlanDecision& decision) {
  const std::optional<double>& rate = decision.workload.rate;
  return absl::StrCat(
      "trigger=", std::string(Name(decision.trigger)), " cause=\"", decision.cause,
      "\" action=", std::string(Name(decision.action)), " reason=\"", decision.reason,
      "\" exit_ratios=", RatioFields(decision),
      " rate=", rate.has_value() ? absl::StrFormat("%.1f", *rate) : "none",
      FigureFields("old", decision.before), FigureFields("new", decision.after),
      absl::StrFormat(" search_ms=%.1f change_ms=%.1f", Seconds(decision.search_time).count() * 1e3,
                      Seconds(decision.change_time).count() * 1e3));
}

}  // namespace escan
