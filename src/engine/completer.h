#pragma once

#include <thread>
#include <vector>

#include "contracts/mutex.h"
#include "engine/engine.h"

namespace escan {

// Threads that call Completion::OnComplete, so that the engine's thread never runs a caller's code.
// Bounded by the slots: each waiting element holds at least one. The destructor calls what waits.
class Completer {
 public:
  struct Finished {
    Completion* completion = nullptr;
    Outcome outcome;
  };

  explicit Completer(int threads);
  ~Completer();

  // Takes all elements and leaves `finished` empty, with capacity. Any thread; does not block.
  void Push(std::vector<Finished>& finished);

 private:
  void Run();

  Mutex mutex_;
  CondVar wake_;
  std::vector<Finished> waiting_ ESCAN_GUARDED_BY(mutex_);
  int idle_ ESCAN_GUARDED_BY(mutex_) = 0;
  bool stopping_ ESCAN_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace escan
