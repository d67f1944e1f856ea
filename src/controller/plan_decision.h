#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allocation/workload.h"
#include "escan/time.h"
#include "simulation/simulated_figures.h"

namespace escan {

// Why a better plan was looked for.
enum class SearchTrigger {
  kFirstEstimates,  // the plan in effect was made without any
  kExitRatio,       // one moved
  kRate,            // it moved
  kOverload,        // requests are refused
  kThaw,            // the plan was frozen before
  kWrongAnswers,    // a share of the plan in effect answers wrongly, so it never becomes ready
  kRetry,           // a minute after a change that failed, or into an overload that goes on
};

enum class PlanAction {
  kKept,
  kChanged,
  kFailed,    // there is no plan, or its workers could not be started; the one before goes on
  kChanging,  // its change is under way: one of the above, but for kKept, takes its place
};

// How decisions end.
inline constexpr std::array kPlanActions = {PlanAction::kKept, PlanAction::kChanged,
                                            PlanAction::kFailed};

std::string_view Name(SearchTrigger trigger);  // "first_estimates", "exit_ratio", ...
std::string_view Name(PlanAction action);      // "kept", "changed", "failed", "changing"

// One search and what came of it, for the log and for operators.
struct PlanDecision {
  TimePoint time{};
  SearchTrigger trigger = SearchTrigger::kFirstEstimates;
  std::string cause;              // what moved, from what to what
  Workload workload;              // that was searched for: the estimates
  std::vector<uint64_t> samples;  // by stage, behind the exit ratios
  // Of the plan in effect and of the one that was found, under the workload.
  std::optional<SimulatedFigures> before;
  std::optional<SimulatedFigures> after;
  PlanAction action = PlanAction::kKept;
  std::string reason;
  Duration search_time{};
  Duration change_time{};  // from the old plan to the new one, or to giving up
};

// key=value fields, for one line of the log.
std::string ToFields(const PlanDecision& decision);

}  // namespace escan
