#pragma once

#include <thread>
#include <vector>

#include "contracts/mutex.h"
#include "engine/completion.h"

namespace escan {

// The thread that calls Completion::OnComplete, so that the engine's thread never runs a caller's
// code. Bounded by the slots: each waiting element holds at least one. The destructor calls what
// waits.
class Completer {
 public:
  struct Finished {
    Completion* completion = nullptr;
    Outcome outcome;
  };

  Completer();
  ~Completer();

  // Takes all elements and leaves `finished` empty, with capacity. Any thread; does not block.
  void Push(std::vector<Finished>& finished);

 private:
  void Run();

  Mutex mutex_;
  CondVar wake_;
  std::vector<Finished> waiting_ ESCAN_GUARDED_BY(mutex_);
  bool idle_ ESCAN_GUARDED_BY(mutex_) = false;
  bool stopping_ ESCAN_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace escan
