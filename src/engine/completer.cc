#include "engine/completer.h"

#include <pthread.h>

#include <iterator>
#include <utility>

namespace escan {

Completer::Completer() {
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "completer");
}

Completer::~Completer() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyOne();
  thread_.join();
}

void Completer::Push(std::vector<Finished>& finished) {
  if (finished.empty()) return;
  bool wake = false;
  {
    MutexLock lock(mutex_);
    if (waiting_.empty()) {
      waiting_.swap(finished);
    } else {
      std::move(finished.begin(), finished.end(), std::back_inserter(waiting_));
    }
    wake = idle_;
  }
  finished.clear();
  if (wake) wake_.NotifyOne();
}

void Completer::Run() {
  std::vector<Finished> batch;
  while (true) {
    {
      MutexLock lock(mutex_);
      while (waiting_.empty() && !stopping_) {
        idle_ = true;
        wake_.Wait(mutex_);
        idle_ = false;
      }
      if (waiting_.empty()) return;
      batch.swap(waiting_);
    }
    for (Finished& finished : batch) finished.completion->OnComplete(finished.outcome);
    batch.clear();
  }
}

}  // namespace escan
