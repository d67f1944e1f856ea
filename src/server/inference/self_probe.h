#pragma once

#include <functional>
#include <thread>
#include <vector>

#include "contracts/mutex.h"
#include "escan/time.h"
#include "ipc/unique_fd.h"

namespace escan {

// A thread that asks the daemon what its clients ask, now and then, so that a daemon that cannot
// answer says so itself: what reports readiness follows the answers, and a service manager's
// watchdog is fed by them.
class SelfProbe {
 public:
  // Whether a part of the daemon answered before `deadline`; returns soon after that.
  using Question = std::function<bool(TimePoint deadline)>;

  struct Options {
    Duration period = std::chrono::seconds(2);    // between an answer and the next round
    Duration patience = std::chrono::seconds(6);  // for all questions of a round
    std::vector<Question> questions;
    // Whether all were answered. Called after each round, from the probe's thread.
    std::function<void(bool answered)> on_round;
  };

  explicit SelfProbe(Options options);
  // Waits for the round that is under way.
  ~SelfProbe();
  SelfProbe(const SelfProbe&) = delete;
  SelfProbe& operator=(const SelfProbe&) = delete;

 private:
  void Run();

  const Options options_;
  Mutex mutex_;
  CondVar changed_;
  bool ended_ ESCAN_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// Whether the inference server at the other end of a connection, which takes no part in TLS, says
// that it lives.
bool AnswersClients(UniqueFd connection, TimePoint deadline);

}  // namespace escan
