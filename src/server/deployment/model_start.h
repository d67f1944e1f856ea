#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "contracts/mutex.h"
#include "escan/time.h"
#include "server/inference/server_state.h"

namespace escan {

// A new version on its way to being ready, beside what is served. Made by a thread that then waits.
class ModelStart {
 public:
  // Takes over the engine's callbacks of readiness; the owner sets others when the wait is over.
  explicit ModelStart(std::shared_ptr<ServedModel> model);

  const std::shared_ptr<ServedModel>& model() const { return model_; }

  // Blocks until every stage has a verified worker. FailedPrecondition, with the workers' reason:
  // they cannot serve it as it is configured, or some did not start several times in a row, or
  // `deadline` passed. Cancelled after Cancel().
  absl::Status Wait(TimePoint deadline);
  void Cancel();

 private:
  // What the engine's thread told; it may outlive the wait.
  struct News {
    Mutex mutex;
    CondVar changed;
    uint64_t count ESCAN_GUARDED_BY(mutex) = 0;
    std::string unservable ESCAN_GUARDED_BY(mutex);
    bool cancelled ESCAN_GUARDED_BY(mutex) = false;
  };

  bool StartsFail() const;
  absl::Status Failed(const std::string& reason) const;

  const std::shared_ptr<ServedModel> model_;
  const std::shared_ptr<News> news_ = std::make_shared<News>();
};

}  // namespace escan
