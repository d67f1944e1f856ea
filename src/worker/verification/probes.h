#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ipc/slab.h"
#include "ipc/worker_spec.h"
#include "worker/files/cache_folder.h"

namespace escan {

// What a stage is to answer for the probe rows, by a computation that shares as little as possible
// with those that serve.
struct Reference {
  std::string outputs;      // of each output its rows, one behind the other; the last is of zeros
  bool zeros_only = false;  // the model fails on the other rows, and is checked with zeros
  bool comparable = true;   // false: the model does not repeat its answers, or mixes rows
  std::string remark;       // for the operator, as "its rows depend on each other: ..."; or empty

  friend bool operator==(const Reference&, const Reference&) = default;
};

// The rows that a worker's stages are checked with before it is ready, in slots of their own, which
// hold a request's inputs and every stage's right outputs. The last row's inputs are zeros, which
// every model must accept. Used by the worker's main thread.
class Probes {
 public:
  // `given` has the inputs of all rows but the last; they are copied, so that no other process sees
  // or changes what is here.
  static absl::StatusOr<Probes> Copy(const Slab& given, size_t stride);

  const Slab& slab() const { return slab_; }
  // Another one of this size, to compare in.
  absl::StatusOr<Slab> Scratch() const;
  int rows() const { return static_cast<int>(slab_.slots()); }
  SlotId zeros() const { return slab_.slots() - 1; }
  // Slots for a batch of `rows` rows of a prepared stage: the rows that it accepts, over and over.
  std::vector<SlotId> Batch(int stage, int rows) const;

  // Of all that the stage is given.
  uint64_t InputsHash(const WorkerStage& stage) const;

  // Puts the right answers of `stages` in place, which begin with those that others read: from the
  // cache, or computed and kept there. `libraries`: all that an answer depends on beside the model.
  using Compute = std::function<absl::StatusOr<Reference>(const WorkerStage&, const Probes&)>;
  absl::Status Prepare(const std::vector<WorkerStage>& stages, const CacheFolder& cache,
                       const std::string& libraries, const Compute& compute);

  // Of a prepared stage, by its index in the cascade: whether its answers can be compared, and what
  // is to be said of it.
  bool comparable(int stage) const { return at(stage).comparable; }
  const std::string& remark(int stage) const { return at(stage).remark; }

 private:
  Probes(Slab slab, size_t stride) : slab_(std::move(slab)), stride_(stride) {}

  const Reference& at(int stage) const { return *references_[static_cast<size_t>(stage)]; }
  std::string KeyOf(const WorkerStage& stage, const std::string& libraries) const;
  absl::StatusOr<Reference> Find(const WorkerStage& stage, const CacheFolder& cache,
                                 const std::string& libraries, const Compute& compute) const;

  Slab slab_;
  size_t stride_ = 0;
  std::array<std::optional<Reference>, kMaxStages> references_;
};

}  // namespace escan
