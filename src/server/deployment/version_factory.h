#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config/config.h"
#include "contracts/device.h"
#include "server/deployment/model_keeper.h"
#include "supervision/worker_host.h"

namespace escan {

// Makes versions of cascades: engines of their own, with workers of their own. Used by one thread
// at a time, but for Living().
class VersionFactory {
 public:
  struct Options {
    std::shared_ptr<WorkerHost> host;
    std::vector<Device> devices;
    std::filesystem::path cache;
    int worker_output = 0;
  };
  explicit VersionFactory(Options options) : options_(std::move(options)) {}

  // Whether the programs of the cascade's workers are there; the error names the one that is not.
  absl::Status CheckPrograms(const CascadeConfig& cascade) const;
  // Starts the engine, without waiting for its workers, under the cascade's next number. The error
  // names the cascade.
  absl::StatusOr<std::shared_ptr<ServedModel>> Start(const CascadeConfig& cascade);

  // All that have not ended. Any thread.
  ModelTable Living() const { return keeper_->Living(); }

 private:
  const Options options_;
  const std::shared_ptr<ModelKeeper> keeper_ = ModelKeeper::Start();
  std::map<std::string, int> started_;  // versions, by the cascade's name
};

}  // namespace escan
