#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "answer_check.h"
#include "contracts/plan.h"
#include "engine/engine.h"
#include "escan/cascade.h"
#include "escan/time.h"

namespace escan {

// One measurement of a plan in a closed loop.
struct CascadeLoad {
  int rows = 1;                     // of a request
  int clients = 1;                  // requests under way
  std::vector<double> exit_ratios;  // of every stage but the last
  Duration warm_up{};
  Duration duration{};
};

// What was measured, over `seconds`.
struct CascadeFigures {
  struct Stage {
    double samples_per_second = 0;  // executed
    double exit_share = 0;          // of all answered samples, those that left here
    double mean_batch = 0;          // rows
    double mean_step_seconds = 0;   // of a batch, as its worker took it
  };
  double seconds = 0;
  int clients = 0;                // requests under way
  double samples_per_second = 0;  // answered
  double p50_seconds = 0;         // of a request
  double p99_seconds = 0;
  double daemon_cpu_seconds = 0;  // for 1,000 samples; this process
  double worker_cpu_seconds = 0;  // for 1,000 samples; all workers
  std::vector<Stage> stages;
};

// A cascade under load without gRPC: its engine, and inputs that decide where samples leave. Such a
// cascade has an input `difficulty`, FP32 [1]; a sample with one in [k, k + 1) leaves at stage k +
// 1 (see scripts/evaluation/cascades.py). Other inputs hold random values within their ranges.
class CascadeRun {
 public:
  // Starts the workers and waits until every stage has one, at most `patience`.
  static absl::StatusOr<std::unique_ptr<CascadeRun>> Start(const CascadeSpec& cascade,
                                                           const Plan& plan,
                                                           const EngineOptions& options,
                                                           Duration patience);
  ~CascadeRun();

  Duration ready_after() const { return ready_after_; }  // its start
  Engine& engine() { return *engine_; }

  // Changes the stages' batch policies only.
  absl::Status SetPolicies(const std::vector<StagePolicy>& policies);
  // What is wrong with the answers; nullopt: nothing. The engine's first stage is number
  // `first_stage` of the cascade that is known. InvalidArgument when there is no `difficulty`; else
  // the first failure of a request.
  absl::StatusOr<std::optional<std::string>> FindWrongAnswer(const KnownAnswers& known,
                                                             int first_stage);
  // InvalidArgument when the cascade has no `difficulty` or the ratios do not fit; else the first
  // failure of a request.
  absl::StatusOr<CascadeFigures> Measure(const CascadeLoad& load);

 private:
  absl::Status CheckDifficulty() const;

  CascadeRun(std::unique_ptr<Engine> engine, int difficulty, Plan plan);

  std::unique_ptr<Engine> engine_;
  int difficulty_;  // index of the input; -1: none
  Plan plan_;
  Duration ready_after_{};
};

}  // namespace escan
