#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "escan/cascade.h"
#include "ipc/slab_layout.h"
#include "ipc/unique_fd.h"

namespace escan {

// A batched tensor in the slab as a worker sees it: row n of a batch lies at `offset` of its slot.
struct SlabTensor {
  std::string name;
  Datatype datatype = Datatype::kFp32;
  std::vector<int64_t> shape;  // of one row
  size_t offset = 0;

  friend bool operator==(const SlabTensor&, const SlabTensor&) = default;
};

// One stage as its worker runs it.
struct WorkerStage {
  int index = 0;  // in the cascade; what frames name
  std::string name;
  ExecutorKind executor = ExecutorKind::kTorchScript;
  std::string model;  // path of the weights, for messages
  // The model's file, open in the process that has this; -1: it is still to be opened.
  int model_fd = -1;
  std::string model_digest;         // HashName() of what the file must hold; empty: anything
  std::vector<SlabTensor> inputs;   // arguments of forward(), in order
  std::vector<SlabTensor> outputs;  // results of forward(), in order
  std::vector<int> buckets;
  ExitScore score = ExitScore::kNone;
  int score_output = 0;  // index into outputs
  GpuOptions gpu;

  friend bool operator==(const WorkerStage&, const WorkerStage&) = default;
};

// All that a worker process is told at its start: a JSON document in a memfd. The worker knows
// neither the configuration nor the cascade, only the regions of the slab that it reads and writes.
struct WorkerSpec {
  std::string cascade;
  int worker = 0;            // number in the daemon's fleet, for logs
  uint32_t incarnation = 0;  // for frame headers
  uint32_t slots = 0;        // of the slab
  size_t stride = 0;         // of the slab
  int credits = 1;           // batches that may be in flight
  int threads = 1;           // intra-op threads (CPU)
  std::vector<int> cpus;     // affinity; empty: leave as inherited
  // Its stages are prepared at low priority, because other workers serve meanwhile (CPU).
  bool yields = false;
  std::vector<int> prepare_cpus;  // affinity meanwhile; empty: that of `cpus`
  std::string gpu;                // UUID of the only GPU that the worker sees; empty: the CPU
  std::string cache;              // folder for what was found by trying; empty: nothing is kept
  uint32_t probes = 0;  // slots of the probe slab; 0: there is none, and nothing is checked
  std::vector<WorkerStage> stages;
  // Not hosted: earlier stages whose outputs hosted ones read, for what those must answer.
  std::vector<WorkerStage> feeders;

  friend bool operator==(const WorkerSpec&, const WorkerSpec&) = default;
};

// The stages that `hosted` ones read outputs of, directly or not, and that are not among them.
// Both are indices, ascending.
std::vector<int> FeedersOf(const CascadeSpec& cascade, const std::vector<int>& hosted);

// The stages of `cascade` with the offsets of `layout`, restricted to `hosted` (indices,
// ascending).
std::vector<WorkerStage> WorkerStagesOf(const CascadeSpec& cascade, const SlabLayout& layout,
                                        const std::vector<int>& hosted);

std::string ToJson(const WorkerSpec& spec);
// InvalidArgument naming the key that is missing or malformed, what was found and what was
// expected.
absl::StatusOr<WorkerSpec> WorkerSpecFromJson(std::string_view json);

// The document in a new memfd, positioned at its start; closes on exec.
absl::StatusOr<UniqueFd> WriteWorkerSpec(const WorkerSpec& spec);
// Reads what WriteWorkerSpec wrote. Needs no position and moves none.
absl::StatusOr<WorkerSpec> ReadWorkerSpec(int fd);

// Descriptors that a worker process inherits, at fixed numbers.
inline constexpr int kWorkerSocketFd = 3;
inline constexpr int kWorkerSlabFd = 4;
inline constexpr int kWorkerSpecFd = 5;
inline constexpr int kWorkerProbesFd = 6;  // a slab of the same stride, whose inputs are filled
// The model files of its stages have the numbers from here on, as their `model_fd` says.
inline constexpr int kWorkerFirstModelFd = 7;

}  // namespace escan
