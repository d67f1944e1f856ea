#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "contracts/device.h"
#include "contracts/plan.h"
#include "engine/completion.h"
#include "engine/engine_options.h"
#include "engine/engine_status.h"
#include "engine/plan_change.h"
#include "escan/cascade.h"
#include "escan/ids.h"
#include "ipc/slab.h"
#include "scheduling/scheduler.h"

namespace escan {

class ArrivalMeter;
class Completer;
class EngineLoop;
class Mailbox;
class ModelFiles;
class SlotPool;

// One cascade at run time: its slab, its workers and the thread that runs scheduler and fleet.
// Knows neither gRPC nor the configuration file. The way of a request:
//
//   Acquire -> write inputs -> Submit -> OnComplete -> read outputs -> Release
//
// or, when it turns out to be wrong before Submit, Acquire -> Release. All of it thread-safe, none
// of it blocks. Outputs of an answered row lie at output(slot, answer(slot).stage, ...).
class Engine {
 public:
  // Reads the models, starts the workers and returns without waiting for them. NotFound and other
  // errors of the file system name the stage and its model.
  static absl::StatusOr<std::unique_ptr<Engine>> Start(const CascadeSpec& cascade, const Plan& plan,
                                                       const EngineOptions& options);
  // Ends everything at once; requests still inside complete with kUnavailable first.
  ~Engine();

  // --- requests; any thread
  // A chain of `rows` slots, all or none: ResourceExhausted at once when too few are free. Either
  // way it counts as an arrival. Unavailable, with the reason, while starts of all workers of a
  // stage fail.
  absl::StatusOr<RequestKey> Acquire(int rows);
  SlotId NextSlot(SlotId slot) const;
  std::byte* input(SlotId slot, int tensor) const;
  const std::byte* output(SlotId slot, int stage, int tensor) const;
  // `completion` is called exactly once, also for a request that is already past its deadline.
  void Submit(const Admission& admission, Completion* completion);
  // The client is gone; OnComplete still follows, once.
  void Cancel(const RequestKey& key);
  const SampleAnswer& answer(SlotId slot) const;
  void Release(const RequestKey& key);

  // --- observation; any thread; none of it blocks
  // As the engine's thread published it last: counts of requests and samples within 100 ms, and
  // when the last request inside is answered; workers, plans and thresholds at once. The last one
  // is that of Stop().
  EngineStatus Status() const;
  bool ready() const;
  std::string not_ready_reason() const;  // empty: it is ready

  // --- operators; any thread but a completer's; these block
  // The status after all that was asked before the call. For who measures; not for threads that
  // serve.
  EngineStatus AwaitStatus();
  // Whether the engine's thread does something for others before `deadline`: it does not stand
  // still. True once the engine was stopped.
  bool Answers(TimePoint deadline);
  // Puts a plan into effect; returns when it is (see Fleet). It supersedes a change that is under
  // way, and waits for a renewal of workers. Aborted: another call superseded this one.
  // FailedPrecondition: workers could not be started; the plan before goes on.
  absl::StatusOr<PlanChange> SetPlan(const Plan& plan);
  // Replaces the workers on a device by new ones of the same plan, as a plan change does. `done` is
  // called on the engine's thread, once, with what became of it; must not block. Waits for a plan
  // change that is under way. Does not block.
  void RenewWorkers(int device, std::function<void(absl::Status)> done);
  // The device is in error, as a worker of another engine says: all workers that use it are ended,
  // and started anew. Does not block.
  void DeviceFaulted(int device);
  void SetThresholds(const std::vector<std::pair<int, float>>& thresholds);
  // Waits until no request is inside, at most until `deadline`; false when some are left.
  bool WaitUntilIdle(TimePoint deadline);
  // Fails what is inside, stops the workers and waits for their end.
  void Stop();
  // Called on the engine's thread whenever ready() or its reason may have changed; must not block.
  void OnReadyChange(std::function<void(bool ready)> callback);
  // Called on the engine's thread when one of its own workers says that the device is in error;
  // must not block.
  void OnDeviceFault(std::function<void(int device)> callback);
  // Called on the engine's thread, with the worker's reason, when a worker says that it cannot
  // serve its stages as they are configured, before the cascade was ready for the first time. It is
  // tried again all the same; must not block.
  void OnUnservable(std::function<void(std::string reason)> callback);

  const CascadeSpec& cascade() const;
  const std::vector<Device>& devices() const { return options_.devices; }

 private:
  Engine(const CascadeSpec& cascade, const EngineOptions& options, const SlabLayout& layout,
         Slab slab, Slab probes, ModelFiles models, std::shared_ptr<Mailbox> mailbox);

  const CascadeSpec cascade_;
  const EngineOptions options_;
  const SlabLayout layout_;
  const Slab slab_;
  const Slab probes_;  // rows that workers are checked with before they are ready
  const std::unique_ptr<ModelFiles> models_;  // the loop's
  const std::unique_ptr<SlotPool> slots_;
  const std::unique_ptr<ArrivalMeter> arrivals_;
  const std::shared_ptr<Mailbox> mailbox_;
  std::unique_ptr<EngineLoop> loop_;
  // Goes before the loop: what waits in it still reads answers there.
  const std::unique_ptr<Completer> completer_;
  std::thread thread_;  // runs loop_
};

}  // namespace escan
