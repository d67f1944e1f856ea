#pragma once

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "ipc/unique_fd.h"
#include "ipc/worker_spec.h"
#include "worker/files/cache_folder.h"

namespace escan {

// Which variant of each stage's module was found the fastest on the CPU, kept between starts: equal
// workers then run equal ones, and only the first one tries. A small JSON file for each model,
// inputs, buckets, number of threads, processor and libtorch. Used by one thread.
class VariantChoices {
 public:
  // `threads`: of libtorch in this process. An empty folder keeps and finds nothing.
  VariantChoices(CacheFolder folder, int threads, std::string libraries)
      : folder_(std::move(folder)), threads_(threads), libraries_(std::move(libraries)) {}

  // Nothing too for a file that is damaged or another's, or where the model's digest is not known.
  std::optional<std::string> Find(const WorkerStage& stage) const;
  absl::Status Store(const WorkerStage& stage, const std::string& variant) const;
  // See CacheFolder::Reserve.
  UniqueFd Reserve(const WorkerStage& stage) const;

 private:
  std::string KeyOf(const WorkerStage& stage) const;
  std::string FileOf(const WorkerStage& stage) const;

  const CacheFolder folder_;
  const int threads_;
  const std::string libraries_;
};

// "torch 2.11.0, AVX512, Intel(R) Xeon(R) ...": what the speed of variants depends on beside their
// model.
std::string CpuLibraries();

}  // namespace escan
