#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "escan/ids.h"
#include "escan/verdict.h"

namespace escan {

// What a batch is computed for.
enum class BatchPurpose {
  kServe,    // outputs are written to the slots
  kCompare,  // nothing is written: outputs are compared with what lies in the slots
  kProbe,    // the same with slots of the probes, before the worker is ready
};

// One batch on its way through an executor. `slots` are the rows' places in the slab.
struct StageBatch {
  int stage = 0;  // index in the cascade
  std::span<const SlotId> slots;
  BatchPurpose purpose = BatchPurpose::kServe;
};

// What became of one row: its score, or the reason that it has none.
struct RowResult {
  float score = 0;
  bool failed = false;
  bool differs = false;  // from what lies in the slot; of a batch to compare only
};

// Runs the stages that one worker process hosts. Owned by the worker's main loop, which is the only
// caller. Batches finish in the order in which they were started; at most `credits` are unfinished.
//
// An executor for a device with queues of its own enqueues in Start() and waits in Finish(), so
// that the next batch's inputs travel while this one computes; one for the CPU works in Finish().
class StageExecutor {
 public:
  virtual ~StageExecutor() = default;

  // Loads every stage, prepares each of its buckets and compares what it answers with what is
  // right; calls `progress(done, total)` between. On an error the worker reports it and ends: the
  // message names the stage and the file. DataLoss: it answers wrongly, in every way that there is.
  using Progress = std::function<void(int done, int total)>;
  virtual absl::Status Prepare(const Progress& progress) = 0;

  // Takes up a batch. The batch's slots stay valid until Finish() returned for it.
  virtual absl::Status Start(const StageBatch& batch) = 0;

  // Returns when Finish() would not block or `fd` is readable, whichever is first. An executor that
  // works in Finish() has nothing to wait for.
  virtual void AwaitDoneOrReadable(int fd) { (void)fd; }

  // Blocks until the outputs of the oldest unfinished batch lie in their slots. `results` has one
  // element a row. A model that throws on some rows marks these rows failed, puts why into
  // `first_failure`, computes all others, and returns OK. So does a batch to compare with the rows
  // that differ. An error means that the executor cannot
  // go on: the worker ends, and the batch is replayed elsewhere. Aborted means that the device
  // itself is in error, and with it every process that uses it (CUDA's sticky errors).
  virtual absl::Status Finish(std::span<RowResult> results, std::string* first_failure) = 0;

  // What comparing each bucket's answers with the right ones has shown, once Prepare() returned, be
  // it with an error. Empty for buckets that were not compared.
  virtual std::vector<BucketCheck> checks() const { return {}; }

  // What the process takes of a GPU. Any thread, once Prepare() has begun.
  struct GpuUse {
    int multiprocessors = 0;  // that this process is shown; 0: it uses no GPU
    size_t memory_bytes = 0;  // that it holds
  };
  virtual GpuUse gpu_use() const { return {}; }
};

}  // namespace escan
