#include "profiling/slot_rotation.h"

#include "absl/status/statusor.h"

namespace escan {

SlotRotation::SlotRotation(Engine* engine, int rows)
    : engine_(engine), rows_(rows), to_keep_(engine->cascade().slots / rows) {}

SlotRotation::~SlotRotation() {
  MutexLock lock(mutex_);
  // The engine gives the last ones first, so that the next rotation goes on where this one ends.
  for (; !kept_.empty(); kept_.pop_back()) engine_->Release(kept_.back());
}

std::optional<RequestKey> SlotRotation::Take() {
  MutexLock lock(mutex_);
  for (; to_keep_ > 0; --to_keep_) {
    const absl::StatusOr<RequestKey> key = engine_->Acquire(rows_);
    if (!key.ok()) break;
    kept_.push_back(*key);
  }
  if (kept_.empty()) return std::nullopt;
  const RequestKey key = kept_.front();
  kept_.pop_front();
  return key;
}

void SlotRotation::Return(const RequestKey& key) {
  engine_->Release(key);
  MutexLock lock(mutex_);
  ++to_keep_;
}

}  // namespace escan
