#pragma once

#include <deque>
#include <optional>

#include "contracts/mutex.h"
#include "engine/engine.h"
#include "escan/ids.h"

namespace escan {

// An engine's slots in turn: of all of them, the ones that were used longest ago. The engine itself
// gives those that became free last, so that a few requests under way would use the same few slots,
// which caches hold. Keeps what is free for itself: while it exists, nobody else asks the engine
// for slots. Thread-safe; never blocks.
class SlotRotation {
 public:
  // Of chains of `rows` slots each. `engine` outlives this.
  SlotRotation(Engine* engine, int rows);
  // All chains have been given back.
  ~SlotRotation();

  // Nothing when none is free; they become so with Return(), or a moment later.
  std::optional<RequestKey> Take() ESCAN_EXCLUDES(mutex_);
  // Instead of Engine::Release().
  void Return(const RequestKey& key) ESCAN_EXCLUDES(mutex_);

 private:
  Engine* const engine_;
  const int rows_;
  Mutex mutex_;
  std::deque<RequestKey> kept_ ESCAN_GUARDED_BY(mutex_);  // the one used longest ago first
  int to_keep_ ESCAN_GUARDED_BY(mutex_);  // chains that the engine has, free or soon to be
};

}  // namespace escan
