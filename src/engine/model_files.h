#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "escan/cascade.h"
#include "ipc/unique_fd.h"
#include "ipc/worker_spec.h"

namespace escan {

// The model files of a cascade as they were when it began to be served. They stay open, so that all
// workers get the same ones, whatever lies at their paths by then. Used by one thread.
class ModelFiles {
 public:
  // Opens and reads all of them: blocks for as long as that takes. The error names the stage and
  // its file.
  static absl::StatusOr<ModelFiles> Open(const CascadeSpec& cascade);

  // Names the stage's file and what it must hold, for a worker. A stage without a model stays as it
  // is.
  void Complete(WorkerStage* stage) const;

  // Warns in the log, once for each change, when what lies at the path of the stage's model is not
  // what is served any more. Reads no content.
  void WarnOfChange(const WorkerStage& stage);

 private:
  struct File {
    UniqueFd fd;  // none: the stage has no model
    std::string digest;
    struct stat opened {};
    struct stat seen {};  // at the path when last looked at; all zeros: nothing
  };

  std::string cascade_;
  std::vector<File> files_;  // by stage
};

}  // namespace escan
