#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "escan/verdict.h"
#include "ipc/worker_spec.h"
#include "worker/torch/variant_choice.h"
#include "worker/verification/answer_comparison.h"
#include "worker/verification/probes.h"

namespace escan {

// A stage's model on the CPU with room for the inputs of one batch. Includes no header of
// libtorch and lets none of its exceptions out. Used by one thread, on which all work is done
// together with libtorch's intra-op threads.
class TorchModel {
 public:
  // Reads the stage's file and checks that the model takes the stage's inputs and returns its
  // outputs. Of the ways to run it, as ReadVariants() gives them, keeps the one that is the fastest
  // over the smallest and the largest bucket among those whose answers are right at every bucket,
  // or the last resort where none is. The one that was kept before by `choices` is not compared
  // with others in speed: while it answers rightly it is kept again. Without `probes` nothing is
  // compared. The error names the stage, the file, and the tensor with what was found and what was
  // expected; DataLoss: no variant answers rightly.
  static absl::StatusOr<TorchModel> Load(const WorkerStage& stage, const Probes* probes,
                                         const VariantChoices& choices,
                                         std::vector<BucketCheck>* checks);

  TorchModel(TorchModel&&) noexcept;
  TorchModel& operator=(TorchModel&&) noexcept;
  ~TorchModel();

  const WorkerStage& stage() const;

  // What Load() kept: "frozen", "aot_inductor".
  const std::string& variant() const;

  // Rows of input `i`, one behind the other; room for the largest bucket.
  std::byte* input(size_t i);

  // Computes the first `rows` rows of the inputs. The message of an error is the model's own, or
  // names the output that is not what the stage declares.
  absl::Status Forward(int rows);

  // What the last Forward(), which was OK, answered; there until the next.
  ComputedAnswer answer() const;

  // Forward() often enough with `rows` rows of zeros that later calls are as fast as they get.
  absl::Status WarmUp(int rows);

 private:
  struct State;
  explicit TorchModel(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

// Limits libtorch to `threads` threads for work on the calling thread: to be called before anything
// else of libtorch, on the thread that will run the models.
void LimitTorchThreads(int threads);

}  // namespace escan
