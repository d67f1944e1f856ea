#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "escan/ids.h"
#include "escan/time.h"
#include "scheduling/sample.h"
#include "scheduling/stage_mask.h"
#include "scheduling/stage_queue.h"
#include "scheduling/survivor_lines.h"

namespace escan {

// Where every copy of every sample is: at a worker, or waiting in one of three places: its stage's
// queue; the line of the worker that holds its batch together; or, while the sample is suspected of
// ending workers, apart from all others until none of its copies is at a worker. Alone in writing
// Sample::queued, in_flight and suspect. Allocates only for suspects.
class Backlog {
 public:
  // `samples`, by slot, outlive the backlog.
  Backlog(int stages, std::span<Sample> samples);

  // Adds a copy that waits for `stage`.
  void Queue(SlotId slot, int stage, TimePoint now);
  // The same, for a survivor of `batch` that goes on at `worker`.
  void QueueAt(WorkerId worker, uint64_t batch, SlotId slot, int stage, TimePoint now);
  // Removes a copy that waits.
  void Drop(SlotId slot, int stage);
  void DropAll(SlotId slot);

  // A waiting copy goes to a worker. Returns since when it waited; not known of a suspect.
  TimePoint Launch(SlotId slot, int stage);
  // A copy comes back from a worker ...
  void Land(SlotId slot, int stage);
  // ... that died: it waits again, in its old place, and counts as waiting since `since`.
  void Requeue(SlotId slot, int stage, TimePoint since);

  // Whether the sample is suspected for what happened at `stage`. From the first such stage to the
  // last all its copies wait apart.
  void Suspect(SlotId slot, int stage);
  void Clear(SlotId slot, int stage, TimePoint now);

  // Moves what stands in the worker's line to the stages' queues.
  void Disband(WorkerId worker, TimePoint now);

  int queued(int stage) const { return queued_[static_cast<size_t>(stage)]; }
  int in_flight(int stage) const { return in_flight_[static_cast<size_t>(stage)]; }
  bool empty() const { return total_queued_ == 0; }

  const StageQueue& queue(int stage) const { return queues_[static_cast<size_t>(stage)]; }
  const SurvivorLines& lines() const { return lines_; }
  // Stages at which suspects may be tried now, and the most urgent one there.
  StageMask suspect_stages() const { return suspect_stages_; }
  SlotId suspect(int stage) const { return suspects_[static_cast<size_t>(stage)].begin()->second; }

 private:
  void Mark(SlotId slot, int stage);
  // Takes a waiting copy out of the place where it waits.
  TimePoint TakeOut(SlotId slot, int stage);
  // Puts a suspect where it belongs: among those that may be tried, at its first waiting stage, or
  // nowhere.
  void PlaceSuspect(SlotId slot);
  void RemoveSuspect(SlotId slot);

  std::span<Sample> samples_;
  std::vector<StageQueue> queues_;
  SurvivorLines lines_;
  std::array<std::map<Urgency, SlotId>, kMaxStages> suspects_;
  StageMask suspect_stages_ = 0;
  std::array<int, kMaxStages> queued_{};
  std::array<int, kMaxStages> in_flight_{};
  int total_queued_ = 0;
};

}  // namespace escan
