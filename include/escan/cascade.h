#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "escan/calibration.h"
#include "escan/tensor.h"
#include "escan/time.h"

namespace escan {

// Bounds that fixed-size frames and bit masks rely on.
inline constexpr int kMaxStages = 8;
inline constexpr int kMaxBatchRows = 256;

// How a stage's confidence is computed from one of its outputs. Every score but kOutput lies in
// [0, 1], and a larger one means a surer answer. p is the row's probability vector of C classes.
enum class ExitScore {
  kNone,            // not scored: the confidence is NaN and the stage never exits early
  kMaxProbability,  // max p
  kMargin,          // largest p minus second largest p
  kEntropy,         // 1 - H(p) / ln C, H in nats: 1 is certain, 0 is uniform
  kOutput,          // the model computes it: an FP32 output of one element a row
};

std::string_view Name(ExitScore score);  // "max_probability" ...
std::optional<ExitScore> ParseExitScore(std::string_view name);

// A sample leaves at a stage when its score >= threshold; NaN never leaves. The last stage always
// answers, so its threshold is not used.
struct ExitRule {
  ExitScore score = ExitScore::kNone;
  int output = 0;  // index into the stage's outputs that the score is computed from
  float threshold = 1.0f;
};

// What a stage reads: a tensor of the request or an output of an earlier stage.
struct TensorRef {
  static constexpr int kRequest = -1;
  int stage = kRequest;
  int tensor = 0;  // index into the request's inputs or into that stage's outputs

  friend bool operator==(const TensorRef&, const TensorRef&) = default;
};

enum class ExecutorKind {
  kTorchScript,
  kNull,  // built in: answers zeros at once, to measure everything around a model
};

// How a GPU computes a stage; the CPU always computes what the model's file says (kFp32).
enum class Precision { kFp32, kFp16 };

// In which order a GPU's convolutions see a tensor's dimensions.
enum class MemoryLayout {
  kAuto,  // whichever is measured to be faster when the stage is loaded
  kContiguous,
  kChannelsLast,
};

// How a GPU runs one step of a stage.
enum class Execution {
  kAuto,   // kGraph where the model can be captured, else kEager with a warning
  kGraph,  // one CUDA graph for each bucket; a model that cannot be captured is an error
  kEager,  // operation by operation, at the exact number of rows
};

std::string_view Name(Precision precision);  // "fp32", "fp16"
std::string_view Name(MemoryLayout layout);  // "auto", "contiguous", "channels_last"
std::string_view Name(Execution execution);  // "auto", "graph", "eager"
std::optional<Precision> ParsePrecision(std::string_view name);
std::optional<MemoryLayout> ParseMemoryLayout(std::string_view name);
std::optional<Execution> ParseExecution(std::string_view name);

// What a GPU worker does with a stage, where the model's file leaves a choice.
struct GpuOptions {
  Precision precision = Precision::kFp32;
  MemoryLayout layout = MemoryLayout::kAuto;
  Execution execution = Execution::kAuto;
  bool fp32_fallback = false;  // FP32 where FP16 answers wrongly in every way

  friend bool operator==(const GpuOptions&, const GpuOptions&) = default;
};

std::string_view FallbackName(const GpuOptions& options);  // "none", "fp32"

// One model of a cascade.
struct StageSpec {
  std::string name;
  ExecutorKind executor = ExecutorKind::kTorchScript;
  std::filesystem::path model;  // absolute; empty for kNull

  // Arguments of the model's forward() in order, each batched: [N, shape...].
  std::vector<TensorRef> inputs;

  // What forward() returns, in order: a tensor, or a tuple of tensors. Holds every output of the
  // cascade by name, and may hold more for later stages to read.
  std::vector<TensorSpec> outputs;

  // Index into `outputs` of each of the cascade's outputs, in the cascade's order.
  std::vector<int> answer;

  // Batch sizes that a step is prepared for; ascending, at most kMaxBatchRows.
  std::vector<int> buckets;

  ExitRule exit;

  GpuOptions gpu;
};

// The tensors that the server adds to every answer of a cascade. Their names are reserved.
inline constexpr std::string_view kExitStageOutput = "exit_stage";   // INT32 [N], 1 = first stage
inline constexpr std::string_view kConfidenceOutput = "confidence";  // FP32 [N], the exit's score

// What a cascade computes and how it may be asked. Immutable once loaded, but for the thresholds,
// whose current values the scheduler owns.
struct CascadeSpec {
  std::string name;
  int max_rows = 0;                           // largest batch of one request
  Duration deadline{};                        // bound on every request, from its arrival
  std::optional<Duration> latency_objective;  // p99
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  std::vector<StageSpec> stages;
  std::filesystem::path probe;  // .npz of rows that workers are checked with; empty: random ones
  int slots = 0;                // samples that may be inside at the same time
  // Samples that a stage answers between two checks of answers while it serves; 0: none is checked.
  int verify_every = 0;
  // Samples that exit early at a stage between two that also run through the last one; 0: none
  // does.
  int audit_every = 0;
  Calibration calibration;
  // How far a brown-out lowers the thresholds, one a stage; empty: there is no brown-out.
  std::vector<float> lowest_thresholds;
  FeedbackSpec feedback;

  int stage_count() const { return static_cast<int>(stages.size()); }
  std::optional<int> FindStage(std::string_view stage_name) const;
};

}  // namespace escan
