#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "scheduling/dice.h"
#include "scheduling/scheduler.h"
#include "scheduling/scheduler_oracle.h"

namespace escan {

enum class Events {
  kAll,
  kOnlyCulprits,  // nothing but what a row does to workers keeps any request from its answer
};

// Makes things happen at random.
class RandomWorld : public SchedulerOracle, private Dice {
 public:
  using microseconds = std::chrono::microseconds;
  using milliseconds = std::chrono::milliseconds;
  using seconds = std::chrono::seconds;

  RandomWorld(uint32_t seed, Events events);
  void Run(int events);

 private:
  PlanOptions RandomOptions();

  // --- events
  void Happen();
  void Admit();
  Row RandomRow();
  void FinishSomeBatch();
  void FinishBatch(int id, uint64_t sequence);
  // What a worker computes: 0 is right.
  int Compute(int id) { return id == faulty_ && Chance(70) ? Number(1, 2) : 0; }
  void FinishComparison(int id, const Sent& sent);
  // Wrong sequence, wrong worker, wrong size, a row that differs where nothing was to be compared:
  // none of it may change anything.
  void Garbage();
  void Cancel();
  void FailAll();
  void ChangeThreshold();
  void ChangePolicies();
  void NoteSpeculation();

  // --- workers
  void Ready(int id);
  void EndSomeWorker();
  // A row did what ends all workers that share the fault.
  void Fault(int culprit);
  void EndWorker(int id, WorkerEnd end);
  void DrainSomeWorker();
  void Settle();
  // All workers are ready and nothing new comes: everything must end, by results and by the times
  // that Advance names alone.
  void Finish();

  CascadeSpec cascade_;
  std::vector<SlotId> next_slot_;
  TimePoint next_ = TimePoint::max();
  uint64_t ids_ = 0;
  int fault_domains_ = 0;  // that workers may share
  bool speculated_ = false;
};

}  // namespace escan
