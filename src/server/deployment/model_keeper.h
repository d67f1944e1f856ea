#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "contracts/mutex.h"
#include "server/inference/server_state.h"

namespace escan {

// Ends versions of cascades that nobody uses any more, on a thread of its own: the last user may be
// a thread of the engine itself, or one that must not block. Any thread.
class ModelKeeper {
 public:
  // What is left of the models goes with the last of them: they keep the thread.
  static std::shared_ptr<ModelKeeper> Start();
  ~ModelKeeper();

  // Whoever drops the last reference has it ended.
  static std::shared_ptr<ServedModel> Keep(const std::shared_ptr<ModelKeeper>& keeper,
                                           std::unique_ptr<ServedModel> model);

  // All that have not ended, those included that new requests do not find any more.
  ModelTable Living() const;

 private:
  ModelKeeper() = default;
  void Run();
  void End(std::unique_ptr<ServedModel> model);

  mutable Mutex mutex_;
  CondVar changed_;
  bool ended_ ESCAN_GUARDED_BY(mutex_) = false;
  std::vector<std::weak_ptr<ServedModel>> known_ ESCAN_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<ServedModel>> unused_ ESCAN_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace escan
