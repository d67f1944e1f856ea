#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "ipc/worker_spec.h"
#include "worker/files/model_format.h"

namespace escan {

// What a stage's model file holds, all of it in memory.
class ModelFile {
 public:
  // Reads the descriptor that the stage has, or the file at its path where it has none.
  // FailedPrecondition when the content is not the one whose digest the stage has, InvalidArgument
  // when it is of no known format or is damaged. No error names the stage or the file.
  static absl::StatusOr<ModelFile> Read(const WorkerStage& stage);

  std::string_view content() const { return {bytes_.get(), size_}; }
  uint64_t hash() const { return hash_; }  // ContentHash() of it
  ModelFormat format() const { return format_; }

 private:
  ModelFile(std::unique_ptr<char[]> bytes, size_t size);

  std::unique_ptr<char[]> bytes_;
  size_t size_;
  uint64_t hash_;
  ModelFormat format_ = ModelFormat::kTorchScript;
};

}  // namespace escan
