#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "escan/cascade.h"
#include "escan/ids.h"
#include "escan/time.h"
#include "escan/verdict.h"

// The messages between the daemon and a worker, one a datagram on a SOCK_SEQPACKET pair. Every
// frame has a fixed size, so a short, long or foreign one is recognised at once and ends the
// worker. Both ends are always of the same build; `version` guards against a worker program left
// from another.
namespace escan {

inline constexpr uint32_t kFrameMagic = 0x4e414353;  // "SCAN"
inline constexpr uint16_t kFrameVersion = 3;

enum class FrameType : uint16_t {
  kBatch = 1,   // daemon to worker: BatchFrame
  kStop = 2,    // daemon to worker: StopFrame; the worker ends after its batches
  kResult = 3,  // worker to daemon: ResultFrame
  kState = 4,   // worker to daemon: StateFrame; also the heartbeat
  kCheck = 5,   // worker to daemon: CheckFrame, one a bucket of each stage, before it is ready
};

struct FrameHeader {
  uint32_t magic = kFrameMagic;
  uint16_t version = kFrameVersion;
  FrameType type{};
  // Which start of the worker this belongs to. A frame with another incarnation is dropped.
  uint32_t incarnation = 0;
  uint32_t reserved = 0;
};

// Run `stage` on the samples in slots[0, rows).
struct BatchFrame {
  FrameHeader header{.type = FrameType::kBatch};
  uint64_t sequence = 0;  // unique within an incarnation; the result carries it back
  uint32_t stage = 0;     // index in the cascade
  uint32_t rows = 0;      // 1 .. kMaxBatchRows
  float threshold = 0;    // a row exits when score >= threshold; NaN never exits
  // 1: the rows were answered already, and their outputs lie in the slots. The worker computes them
  // once more, writes nothing there, and says which rows differ.
  uint32_t compare = 0;
  std::array<SlotId, kMaxBatchRows> slots{};
};

enum class RowStatus : uint8_t {
  kContinue = 0,  // computed, score below the threshold
  kExit = 1,      // computed, score passes
  kFailed = 2,    // the model threw on this row; it has no outputs
  kDiffers = 3,   // of a batch to compare: computed, and not what lies in the slot
};

// The answer to a BatchFrame, once the outputs of all its rows are in their slots.
struct ResultFrame {
  FrameHeader header{.type = FrameType::kResult};
  uint64_t sequence = 0;
  uint32_t stage = 0;
  uint32_t rows = 0;
  uint64_t execute_ns = 0;  // from taking up the batch to the outputs lying in the slots
  std::array<float, kMaxBatchRows> scores{};
  std::array<RowStatus, kMaxBatchRows> status{};
  std::array<char, 256> message{};  // why the first failed row failed, or differs; NUL-terminated
};

// What the check of one bucket has shown; see BucketCheck.
struct CheckFrame {
  FrameHeader header{.type = FrameType::kCheck};
  uint32_t stage = 0;  // index in the cascade
  uint32_t rows = 0;   // of the bucket
  Verdict verdict = Verdict::kRight;
  uint32_t reserved = 0;
  uint64_t step_ns = 0;   // of one step alone; 0: not timed
  float least_score = 0;  // of the right answers to the probe rows; NaN: not scored
  float greatest_score = 0;
  std::array<char, 128> way{};      // how the bucket is computed: "fused, cublaslt"; NUL-terminated
  std::array<char, 328> message{};  // what was wrong or odd; NUL-terminated
};

enum class WorkerState : uint32_t {
  kStarting = 0,
  kLoading = 1,    // reading and optimising models
  kWarming = 2,    // on the CPU: step `done` of `total` of preparing (stage, bucket) pairs
  kCapturing = 3,  // the same on a GPU, where a step is captured as a graph
  kReady = 4,
  kFailed = 5,  // cannot become ready, or go on; `message` says why, and the process ends
};

std::string_view Name(WorkerState state);

// Sent at every change of state, and from a thread of its own every kHeartbeatInterval.
struct StateFrame {
  FrameHeader header{.type = FrameType::kState};
  WorkerState state = WorkerState::kStarting;
  uint32_t done = 0;
  uint32_t total = 0;
  // kFailed only, 1: the GPU itself is in error, and with it every process that uses it.
  uint32_t device_fault = 0;
  uint32_t multiprocessors = 0;  // of the GPU, as this process is shown them; 0: no GPU
  uint32_t reserved = 0;
  uint64_t device_memory = 0;       // bytes of the GPU's memory that this process takes
  std::array<char, 464> message{};  // NUL-terminated
};

struct StopFrame {
  FrameHeader header{.type = FrameType::kStop};
};

inline constexpr Duration kHeartbeatInterval = std::chrono::milliseconds(500);
inline constexpr Duration kHeartbeatTimeout = std::chrono::seconds(5);

static_assert(std::is_trivially_copyable_v<BatchFrame> && sizeof(BatchFrame) == 1064);
static_assert(std::is_trivially_copyable_v<ResultFrame> && sizeof(ResultFrame) == 1576);
static_assert(std::is_trivially_copyable_v<StateFrame> && sizeof(StateFrame) == 512);
static_assert(std::is_trivially_copyable_v<CheckFrame> && sizeof(CheckFrame) == 504);
static_assert(std::is_trivially_copyable_v<StopFrame> && sizeof(StopFrame) == 16);

}  // namespace escan
