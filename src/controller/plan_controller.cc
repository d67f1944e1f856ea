#include "controller/plan_controller.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "allocation/goal.h"

namespace escan {
namespace {

std::string MillisecondsText(Seconds time) {
  return std::isfinite(time.count()) ? absl::StrFormat("%.3g ms", time.count() * 1e3) : "unbounded";
}

// Why a plan does not hold the workload.
std::string Shortfall(const SimulatedFigures& figures, const Workload& workload) {
  if (figures.capacity < kHeadroom * *workload.rate) {
    return absl::StrFormat("the plan in effect takes %.4g/s, which is less than %.2g times %.4g/s",
                           figures.capacity, kHeadroom, *workload.rate);
  }
  const std::string p99 =
      absl::StrCat("the plan in effect has a p99 of ", MillisecondsText(figures.p99));
  if (!workload.objective) return p99;
  return absl::StrCat(p99, ", above the objective of ", MillisecondsText(*workload.objective));
}

}  // namespace

PlanController::PlanController(Workload prior, std::vector<std::string> stages,
                               const ControllerOptions& options)
    : options_(options), stages_(std::move(stages)), considered_(std::move(prior)) {}

// --- when to search

std::optional<PlanController::Request> PlanController::Look(const LoadEstimate& load,
                                                            TimePoint now) {
  if (frozen_ || now < rest_until_) return std::nullopt;
  std::optional<Cause> cause;
  if (EnoughSamples(load)) cause = CauseOf(load, now);
  if (!cause.has_value()) {
    cause_since_.reset();
    seen_.reset();
    return std::nullopt;
  }
  Workload workload = WorkloadOf(load);
  if (!cause_since_.has_value()) cause_since_ = now;
  const bool steady = Steady(workload);
  seen_ = workload;
  if (!steady && now - *cause_since_ < options_.patience) return std::nullopt;

  cause_since_.reset();
  seen_.reset();
  considered_ = workload;
  considered_saturated_ = load.saturated;
  from_estimates_ = true;
  thawed_ = false;
  retry_at_.reset();
  if (load.saturated) retry_at_ = now + options_.retry;
  Request request{.trigger = cause->trigger,
                  .cause = std::move(cause->text),
                  .workload = std::move(workload),
                  .saturated = load.saturated};
  for (const ExitEstimate& exits : load.exits) request.samples.push_back(exits.reached);
  return request;
}

std::optional<PlanController::Request> PlanController::Unservable(std::string cause,
                                                                  TimePoint now) {
  if (frozen_ || now < rest_until_) return std::nullopt;
  return Request{.trigger = SearchTrigger::kWrongAnswers,
                 .cause = std::move(cause),
                 .workload = considered_,
                 .samples = std::vector<uint64_t>(stages_.size())};
}

bool PlanController::EnoughSamples(const LoadEstimate& load) const {
  return load.arrivals.requests > 0 && !load.exits.empty() &&
         load.exits.front().reached >= options_.enough_samples;
}

Workload PlanController::WorkloadOf(const LoadEstimate& load) const {
  Workload workload = considered_;
  for (size_t i = 0; i + 1 < workload.exit_ratios.size(); ++i) {
    if (load.exits[i].reached >= options_.enough_samples) {
      workload.exit_ratios[i] = load.exits[i].ratio();
    }
  }
  workload.rate = RateOf(load);
  workload.rows_per_request =
      std::max(1, static_cast<int>(std::lround(load.arrivals.rows_per_request)));
  return workload;
}

double PlanController::RateOf(const LoadEstimate& load) const {
  const double measured = load.arrivals.samples_per_second;
  return load.saturated ? std::max(measured, considered_.rate.value_or(0)) : measured;
}

std::optional<PlanController::Cause> PlanController::CauseOf(const LoadEstimate& load,
                                                             TimePoint now) const {
  if (!from_estimates_) {
    return Cause{SearchTrigger::kFirstEstimates, "no plan was made from estimates yet"};
  }
  if (thawed_) return Cause{SearchTrigger::kThaw, "the plan was frozen"};
  if (std::optional<Cause> cause = MovedRatio(load)) return cause;
  if (std::optional<Cause> cause = MovedRate(load)) return cause;
  if (load.saturated && !considered_saturated_) {
    return Cause{SearchTrigger::kOverload, "requests are refused or will be"};
  }
  // An overload that a change ended is no reason: the plan before it would look better again.
  const bool lasts = load.saturated || !considered_saturated_;
  if (retry_at_.has_value() && now >= *retry_at_ && lasts) {
    return Cause{SearchTrigger::kRetry,
                 considered_saturated_ ? "requests were refused" : "the last change failed"};
  }
  return std::nullopt;
}

std::optional<PlanController::Cause> PlanController::MovedRatio(const LoadEstimate& load) const {
  for (size_t i = 0; i + 1 < considered_.exit_ratios.size(); ++i) {
    const ExitEstimate& exits = load.exits[i];
    const double before = considered_.exit_ratios[i];
    if (exits.reached < options_.enough_samples || exits.interval().Contains(before)) continue;
    if (std::abs(exits.ratio() - before) <= options_.ratio_tolerance) continue;
    return Cause{SearchTrigger::kExitRatio, absl::StrFormat("exit ratio of %s %.3f -> %.3f",
                                                            stages_[i], before, exits.ratio())};
  }
  return std::nullopt;
}

std::optional<PlanController::Cause> PlanController::MovedRate(const LoadEstimate& load) const {
  const double before = considered_.rate.value_or(0);
  const double rate = RateOf(load);
  if (!RateDiffers(before, rate) || load.arrivals.interval.Contains(before)) return std::nullopt;
  return Cause{SearchTrigger::kRate, absl::StrFormat("rate %.4g/s -> %.4g/s", before, rate)};
}

bool PlanController::RateDiffers(double a, double b) const {
  return std::max(a, b) > (1 + options_.rate_tolerance) * std::min(a, b);
}

bool PlanController::Steady(const Workload& workload) const {
  if (!seen_.has_value() || RateDiffers(*seen_->rate, *workload.rate)) return false;
  for (size_t i = 0; i + 1 < workload.exit_ratios.size(); ++i) {
    const double moved = std::abs(workload.exit_ratios[i] - seen_->exit_ratios[i]);
    if (moved > options_.ratio_tolerance) return false;
  }
  return true;
}

// --- whether to change

PlanController::Verdict PlanController::Judge(const Workload& workload, const Candidate& in_effect,
                                              const Candidate& found,
                                              const ChangeCost& cost) const {
  Verdict verdict = Compare(workload, in_effect, found);
  // Without starts nothing is lost.
  if (!verdict.change || cost.time == Duration::zero()) return verdict;
  const std::string why_not =
      WhyNotWorth(cost, workload, in_effect.figures, found.figures, options_.horizon);
  if (why_not.empty()) return verdict;
  return {false, absl::StrCat(verdict.reason, ", but ", why_not)};
}

PlanController::Verdict PlanController::Compare(const Workload& workload,
                                                const Candidate& in_effect,
                                                const Candidate& found) const {
  if (found.plan == in_effect.plan) return {false, "the plan in effect is the best one"};
  const bool found_holds = Holds(found.figures, workload);
  if (Holds(in_effect.figures, workload)) {
    const Seconds before = in_effect.figures.p99;
    const Seconds after = found.figures.p99;
    const std::string text =
        absl::StrCat("p99 ", MillisecondsText(before), " -> ", MillisecondsText(after));
    if (found_holds && before > (1 + options_.latency_hysteresis) * after) return {true, text};
    return {false, absl::StrCat(text, " is not worth a change")};
  }
  if (found_holds) return {true, Shortfall(in_effect.figures, workload)};
  const double before = in_effect.figures.goodput;
  const double after = found.figures.goodput;
  const std::string text = absl::StrFormat("goodput %.4g/s -> %.4g/s", before, after);
  if (after > (1 + options_.hysteresis) * before) return {true, text};
  return {false, absl::StrCat(text, " is not worth a change")};
}

void PlanController::Changed(bool workers, TimePoint now) {
  rest_until_ = now + (workers ? options_.cool_down : options_.short_cool_down);
}

void PlanController::Failed(TimePoint now) {
  rest_until_ = now + options_.cool_down;
  retry_at_ = now + options_.retry;
}

void PlanController::Thaw() {
  thawed_ = thawed_ || frozen_;
  frozen_ = false;
}

}  // namespace escan
