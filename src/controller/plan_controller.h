#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allocation/workload.h"
#include "contracts/plan.h"
#include "controller/change_cost.h"
#include "controller/load_estimate.h"
#include "controller/plan_decision.h"
#include "escan/time.h"
#include "simulation/simulated_figures.h"

namespace escan {

struct ControllerOptions {
  uint64_t enough_samples = 100;    // for an exit ratio to be believed
  double ratio_tolerance = 0.02;    // by how much an exit ratio may move without a search
  double rate_tolerance = 0.2;      // likewise the rate, as a part of it
  double hysteresis = 0.05;         // by how much more a plan must serve to take another's place
  double latency_hysteresis = 0.2;  // by how much later a plan that holds must be to be replaced
  Duration cool_down = std::chrono::seconds(10);       // after a change of workers
  Duration short_cool_down = std::chrono::seconds(2);  // after one of batch limits and delays only
  Duration patience = std::chrono::seconds(5);         // for estimates that move to become steady
  Duration retry = std::chrono::minutes(1);
  Duration horizon = std::chrono::minutes(5);  // for which a load is expected to last
};

// Decides for one cascade when a better plan is looked for, and whether one that was found is worth
// a change. Plain code: no threads, no I/O, time passed in. Used as
//
//   Look -> search -> Judge -> change of the plan -> Changed or Failed
//
// again and again. Owned by ControlLoop; one thread at a time.
class PlanController {
 public:
  // `prior`: what the first plan was made for. One exit ratio for each of `stages`, which name the
  // stages in what people read.
  PlanController(Workload prior, std::vector<std::string> stages,
                 const ControllerOptions& options = {});

  struct Request {
    SearchTrigger trigger = SearchTrigger::kFirstEstimates;
    std::string cause;
    Workload workload;
    std::vector<uint64_t> samples;  // behind the exit ratios
    bool saturated = false;
  };
  // What to search a plan for, if anything. Call it about once a second, and search whenever it
  // asks: it then takes these estimates as considered.
  std::optional<Request> Look(const LoadEstimate& load, TimePoint now);

  // What is known of a plan at a workload.
  struct Candidate {
    const Plan& plan;
    const SimulatedFigures& figures;
  };
  struct Verdict {
    bool change = false;
    std::string reason;
  };
  // Both were simulated under `workload`. A better plan is taken if it brings more than its change
  // costs.
  Verdict Judge(const Workload& workload, const Candidate& in_effect, const Candidate& found,
                const ChangeCost& cost = {}) const;
  // The plan in effect, with a share at which answers are wrong, never becomes ready: what to
  // search another for. Not again before a change that failed rested, nor while frozen.
  std::optional<Request> Unservable(std::string cause, TimePoint now);

  // The plan was changed, with or without its workers.
  void Changed(bool workers, TimePoint now);
  // It could not be: the same is tried again when the estimates move, or after a minute.
  void Failed(TimePoint now);

  // Frozen, it asks for nothing.
  bool frozen() const { return frozen_; }
  void Freeze() { frozen_ = true; }
  void Thaw();

 private:
  struct Cause {
    SearchTrigger trigger;
    std::string text;
  };

  // The estimates; where there are too few samples, what was assumed before.
  Workload WorkloadOf(const LoadEstimate& load) const;
  // Samples per second. Clients that wait for answers send less to an overloaded cascade, so there
  // the rate counts as not fallen.
  double RateOf(const LoadEstimate& load) const;
  bool EnoughSamples(const LoadEstimate& load) const;
  // Whether the figures say that it is better.
  Verdict Compare(const Workload& workload, const Candidate& in_effect,
                  const Candidate& found) const;
  std::optional<Cause> CauseOf(const LoadEstimate& load, TimePoint now) const;
  std::optional<Cause> MovedRatio(const LoadEstimate& load) const;
  std::optional<Cause> MovedRate(const LoadEstimate& load) const;
  bool RateDiffers(double a, double b) const;
  bool Steady(const Workload& workload) const;

  const ControllerOptions options_;
  const std::vector<std::string> stages_;
  Workload considered_;  // by the last search
  bool considered_saturated_ = false;
  bool from_estimates_ = false;  // considered_ is
  bool frozen_ = false;
  bool thawed_ = false;
  TimePoint rest_until_{};
  std::optional<TimePoint> retry_at_;
  std::optional<TimePoint> cause_since_;
  std::optional<Workload> seen_;  // at the last look
};

}  // namespace escan
