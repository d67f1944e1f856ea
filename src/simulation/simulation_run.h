#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "allocation/step_costs.h"
#include "escan/cascade.h"
#include "scheduling/scheduler.h"
#include "simulation/arrival_source.h"
#include "simulation/device_model.h"
#include "simulation/exit_draws.h"
#include "simulation/simulated_worker.h"
#include "simulation/simulation.h"
#include "simulation/simulation_tally.h"
#include "simulation/slot_chains.h"

namespace escan {

// One simulation: plays for a scheduler the daemon, its workers and its clients. Time jumps from
// one event to the next: a request is sent, a step ends, or the time comes that the scheduler asked
// for. Everything that happens at one time is told to the scheduler before it decides.
//
// Allocates per sample only the latency of its request. Plain code, used by one thread.
class SimulationRun : private SchedulerActions {
 public:
  // The load suits the cascade. Both outlive this.
  SimulationRun(const SimulatedSystem& system, const SimulatedLoad& load);

  // Once. Until every request is over and no worker holds anything, or the load's limit is passed.
  SimulationReport Run();

 private:
  struct Request {
    uint64_t id = 0;  // counts from 1
    TimePoint sent;
  };

  void Dispatch(const Batch& batch) override;
  void Complete(const RequestKey& key, const Outcome& outcome) override;
  void Settled(const RequestKey& key) override { chains_.Free(key.first_slot); }

  TimePoint NextArrival() const;
  TimePoint NextEvent() const;
  void StartWorkers();
  // What is due now.
  void AdmitRequests();
  void FinishSteps();

  void Admit(const Request& request);
  void End(const Request& request, RequestEnd end);
  // The worker begins the first batch that it holds, `steadily` when one ended just now.
  void BeginStep(WorkerId worker, bool steadily);
  // The worker's first batch is done.
  void FinishStep(WorkerId worker);

  bool measured(const Request& request) const {
    return request.id > static_cast<uint64_t>(warmup_requests_);
  }
  Request& at(SlotId first_slot) { return requests_[first_slot / static_cast<SlotId>(load_.rows)]; }
  const WorkerGroup& group(const SimulatedWorker& worker) const {
    return system_.plan.workers[static_cast<size_t>(worker.group())];
  }

  const SimulatedSystem system_;
  const SimulatedLoad& load_;
  const int64_t warmup_requests_;
  const int64_t measured_requests_;
  const StepCosts costs_;

  SlotChains chains_;
  Scheduler scheduler_;
  ArrivalSource arrivals_;
  ExitDraws exits_;
  SimulationTally tally_;

  std::vector<SimulatedWorker> workers_;
  std::vector<DeviceModel> devices_;
  std::vector<int> clients_;          // [device]: its workers
  std::vector<Request> requests_;     // by chain
  std::vector<uint8_t> exit_stages_;  // by slot
  std::array<float, kMaxBatchRows> scores_{};
  std::array<uint8_t, kMaxBatchRows> failed_{};
  std::array<uint8_t, kMaxBatchRows> passed_{};

  uint64_t sent_ = 0;
  TimePoint now_;
  TimePoint timer_ = TimePoint::max();  // when the scheduler wants to be asked again
};

}  // namespace escan
