#pragma once

#include <map>
#include <utility>
#include <vector>

#include "contracts/plan.h"
#include "engine/worker_answers.h"
#include "escan/ids.h"
#include "scheduling/scheduler.h"

namespace escan {

// Keeps what checks of answers have shown of each worker, and decides which one is not believed any
// more. Plain code, owned by EngineLoop and used on its thread.
class AnswerRecords {
 public:
  static constexpr int kMostTimesWrong = 2;

  // A process is started as this worker. Numbers are used again: what was found of one with another
  // role says nothing of it.
  void Assign(WorkerId worker, const WorkerGroup& role);
  // A new process serves as this worker.
  void Started(WorkerId worker) { times_wrong_.erase(worker); }
  // Returns true when the worker that was wrong is to be replaced.
  bool Add(const Comparison& comparison);
  // A worker of this role is replaced: its share is doubtful from now on.
  void Doubt(const WorkerGroup& role);

  WorkerAnswers of(WorkerId worker, int stage) const;
  std::vector<WorkerAnswers> all() const;
  const std::vector<DoubtfulShare>& doubtful_shares() const { return doubtful_shares_; }

 private:
  WorkerAnswers& at(WorkerId worker, int stage);

  std::map<std::pair<WorkerId, int>, WorkerAnswers> answers_;  // by worker and stage
  std::map<WorkerId, WorkerGroup> roles_;
  std::map<WorkerId, int> times_wrong_;  // since its process was started
  std::vector<DoubtfulShare> doubtful_shares_;
};

}  // namespace escan
