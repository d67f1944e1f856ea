// escan-step-benchmark: one step of a GPU worker against the bare replay of the same graph, once
// its answers are found to be right.

#include <cuda_runtime_api.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "engine/probe_slab.h"
#include "escan/time.h"
#include "ipc/slab.h"
#include "ipc/slab_layout.h"
#include "ipc/worker_spec.h"
#include "worker/cuda/cuda_executor.h"
#include "worker/cuda/gpu_memory.h"
#include "worker/cuda/gpu_status.h"
#include "worker/loop/stage_tensors.h"
#include "worker/torch/reference_model.h"
#include "worker/verification/probes.h"

namespace escan {
namespace {

// Batches in flight share no slot, and together are larger than a processor's caches, as samples
// that come in over the network are.
constexpr int kBatchesOfSlots = 8;
constexpr int kReplaysPerRound = 20;

struct Arguments {
  std::string model;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::string score = "max_probability";
  int score_output = 0;
  std::vector<int> buckets = {1, 4, 16, 64};
  std::string precision = "fp16";
  std::string layout = "auto";
  std::string cache;
  double seconds = 2;
};

// Ends the program: nothing can be measured any more.
[[noreturn]] void Fail(const std::string& message) {
  std::cerr << "escan-step-benchmark: " << message << "\n";
  std::exit(1);
}

void Check(const absl::Status& status) {
  if (!status.ok()) Fail(std::string(status.message()));
}

template <typename T>
T Parsed(const std::optional<T>& value, const std::string& text, const std::string& what) {
  if (!value) Fail(absl::StrCat("'", text, "' is no ", what));
  return *value;
}

// "UINT8:224x224x3", "FP32:1".
TensorSpec ParseTensor(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  TensorSpec tensor{.name = text};
  tensor.datatype = Parsed(ParseDatatype(parts.front()), text, "tensor such as UINT8:224x224x3");
  if (parts.size() < 2) return tensor;
  for (const auto& part : absl::StrSplit(parts[1], 'x')) {
    int64_t size = 0;
    if (!absl::SimpleAtoi(part, &size) || size <= 0) Fail(absl::StrCat("bad shape: ", text));
    tensor.shape.push_back(size);
  }
  return tensor;
}

CascadeSpec CascadeOf(const Arguments& arguments) {
  CascadeSpec cascade;
  StageSpec stage;
  stage.name = "measured";
  stage.model = arguments.model;
  for (size_t i = 0; i < arguments.inputs.size(); ++i) {
    cascade.inputs.push_back(ParseTensor(arguments.inputs[i]));
    stage.inputs.push_back({.tensor = static_cast<int>(i)});
  }
  for (const std::string& output : arguments.outputs) stage.outputs.push_back(ParseTensor(output));
  stage.buckets = arguments.buckets;
  stage.exit.score = Parsed(ParseExitScore(arguments.score), arguments.score, "score");
  stage.exit.output = arguments.score_output;
  stage.gpu.precision =
      Parsed(ParsePrecision(arguments.precision), arguments.precision, "precision");
  stage.gpu.layout = Parsed(ParseMemoryLayout(arguments.layout), arguments.layout, "layout");
  stage.gpu.execution = Execution::kGraph;
  cascade.stages = {stage};
  cascade.slots = kBatchesOfSlots * arguments.buckets.back();
  return cascade;
}

// Random rows, with what the model answers to them on the CPU.
Probes ProbesOf(const CascadeSpec& cascade, const SlabLayout& layout, const std::string& cache) {
  const absl::StatusOr<Slab> given = MakeProbeSlab(cascade, layout);
  Check(given.status());
  absl::StatusOr<Probes> probes = Probes::Copy(*given, layout.stride);
  Check(probes.status());
  Check(probes->Prepare(WorkerStagesOf(cascade, layout, {0}), CacheFolder(cache),
                        ReferenceLibraries(), ComputeReference));
  if (!probes->comparable(0)) Fail(absl::StrCat("answers cannot be compared: ", probes->remark(0)));
  return *std::move(probes);
}

double SecondsSince(TimePoint start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void Synchronize() { Check(GpuStatus(cudaDeviceSynchronize(), "measure")); }

// Bytes a second that a copy from pinned memory reaches.
double CopyRate() {
  constexpr size_t kBytes = size_t{128} << 20;
  const absl::StatusOr<PinnedMemory> host = AllocatePinned(kBytes);
  const absl::StatusOr<DeviceMemory> device = AllocateDevice(kBytes);
  Check(host.status());
  Check(device.status());
  std::vector<double> seconds;
  for (int round = 0; round < 11; ++round) {
    const TimePoint start = Clock::now();
    Check(GpuStatus(
        cudaMemcpyAsync(device->get(), host->get(), kBytes, cudaMemcpyHostToDevice, nullptr),
        "copy"));
    Synchronize();
    seconds.push_back(SecondsSince(start));
  }
  return static_cast<double>(kBytes) / Median(seconds);
}

class StepBenchmark {
 public:
  StepBenchmark(const Arguments& arguments)
      : arguments_(arguments),
        cascade_(CascadeOf(arguments)),
        layout_(SlabLayout::For(cascade_).value()),
        slab_(Slab::Create(layout_).value()),
        probes_(ProbesOf(cascade_, layout_, arguments.cache)) {
    slots_.resize(static_cast<size_t>(cascade_.slots));
    std::iota(slots_.begin(), slots_.end(), SlotId{0});
  }

  void Run() {
    std::vector<nlohmann::json> lines(arguments_.buckets.size());
    const auto each_bucket = [&](int credits, auto measure) {
      const std::unique_ptr<CudaExecutor> executor = Make(credits);
      if (copy_rate_ == 0) copy_rate_ = CopyRate();
      for (size_t i = 0; i < lines.size(); ++i) measure(*executor, arguments_.buckets[i], lines[i]);
    };
    each_bucket(1, [this](CudaExecutor& executor, int rows, nlohmann::json& line) {
      MeasureAlone(executor, rows, line);
    });
    each_bucket(2, [this](CudaExecutor& executor, int rows, nlohmann::json& line) {
      MeasureOverlapped(executor, rows, line);
    });
    for (const nlohmann::json& line : lines) std::cout << line.dump() << "\n";
    PrintTable(lines);
  }

 private:
  std::unique_ptr<CudaExecutor> Make(int credits) const {
    CudaExecutor::Options options = {.stages = WorkerStagesOf(cascade_, layout_, {0}),
                                     .credits = credits,
                                     .cache = arguments_.cache,
                                     .probes = &probes_};
    options.log = [](const std::string& fields) { std::cerr << fields << "\n"; };
    auto executor = std::make_unique<CudaExecutor>(std::move(options), slab_);
    const TimePoint start = Clock::now();
    Check(executor->Prepare([](int, int) {}));
    std::cerr << "ready after " << SecondsSince(start) << " s with credits=" << credits << "\n";
    return executor;
  }

  std::span<const SlotId> NextSlots(int rows) {
    const auto count = static_cast<size_t>(rows);
    if (next_slot_ + count > slots_.size()) next_slot_ = 0;
    const auto slots = std::span<const SlotId>(slots_).subspan(next_slot_, count);
    next_slot_ += count;
    return slots;
  }

  void Start(CudaExecutor& executor, int rows) {
    Check(executor.Start({.stage = 0, .slots = NextSlots(rows)}));
  }
  void Finish(CudaExecutor& executor, int rows) {
    results_.resize(static_cast<size_t>(rows));
    std::string failure;
    Check(executor.Finish(results_, &failure));
  }

  double BareReplay(const CudaExecutor& executor, int rows) const {
    const CudaModel& model = executor.model(0);
    const size_t bucket = model.BucketFor(rows);
    std::vector<double> seconds;
    const TimePoint first = Clock::now();
    while (seconds.size() < 5 || SecondsSince(first) < arguments_.seconds) {
      const TimePoint start = Clock::now();
      for (int i = 0; i < kReplaysPerRound; ++i) {
        Check(GpuStatus(model.Launch(bucket), "launch a graph"));
      }
      Synchronize();
      seconds.push_back(SecondsSince(start) / kReplaysPerRound);
    }
    return Median(seconds);
  }

  void MeasureAlone(CudaExecutor& executor, int rows, nlohmann::json& line) {
    const double replay = BareReplay(executor, rows);
    std::vector<double> seconds;
    const TimePoint first = Clock::now();
    while (seconds.size() < 50 || SecondsSince(first) < arguments_.seconds) {
      const TimePoint start = Clock::now();
      Start(executor, rows);
      Finish(executor, rows);
      seconds.push_back(SecondsSince(start));
    }
    size_t row_bytes = 0;
    for (const TensorSpec& input : cascade_.inputs) row_bytes += input.row_bytes();
    const double transfer = static_cast<double>(row_bytes) * rows / copy_rate_;
    const double step = Median(seconds);
    line = {{"rows", rows},
            {"copy_gb_per_second", copy_rate_ * 1e-9},
            {"replay_us", replay * 1e6},
            {"transfer_us", transfer * 1e6},
            {"step_us", step * 1e6},
            {"step_beyond_replay_and_transfer_us", (step - replay - transfer) * 1e6},
            {"step_allowed_us", (replay * 1.05 + transfer) * 1e6 + 30}};
  }

  void MeasureOverlapped(CudaExecutor& executor, int rows, nlohmann::json& line) {
    const double replay = BareReplay(executor, rows);
    for (int i = 0; i < 2; ++i) Start(executor, rows);
    for (int i = 0; i < 20; ++i) {  // until the estimate of a step has settled
      Finish(executor, rows);
      Start(executor, rows);
    }
    const double cpu = CpuSeconds();
    const TimePoint first = Clock::now();
    int64_t batches = 0;
    while (batches < 50 || SecondsSince(first) < arguments_.seconds) {
      Finish(executor, rows);
      Start(executor, rows);
      ++batches;
    }
    const double seconds = SecondsSince(first);
    const double cpu_seconds = CpuSeconds() - cpu;
    for (int i = 0; i < 2; ++i) Finish(executor, rows);
    const double samples = static_cast<double>(batches) * rows;
    line["steady_step_us"] = seconds / static_cast<double>(batches) * 1e6;
    line["steady_part_of_replay_rate"] = replay * static_cast<double>(batches) / seconds;
    line["samples_per_second"] = samples / seconds;
    line["cpu_seconds_per_1000_samples"] = cpu_seconds / samples * 1000;
  }

  void PrintTable(const std::vector<nlohmann::json>& lines) const {
    std::fprintf(stderr, "%s, %s; host to device %.1f GB/s\n", arguments_.model.c_str(),
                 arguments_.precision.c_str(), copy_rate_ * 1e-9);
    std::fprintf(stderr, "%5s %10s %12s %9s %11s %11s %10s %11s %11s\n", "rows", "replay us",
                 "transfer us", "step us", "allowed us", "steady us", "of replay", "samples/s",
                 "CPU s/1000");
    for (const nlohmann::json& line : lines) {
      const auto number = [&line](const char* key) { return line[key].get<double>(); };
      std::fprintf(stderr, "%5d %10.1f %12.1f %9.1f %11.1f %11.1f %10.3f %11.0f %11.4f\n",
                   line["rows"].get<int>(), number("replay_us"), number("transfer_us"),
                   number("step_us"), number("step_allowed_us"), number("steady_step_us"),
                   number("steady_part_of_replay_rate"), number("samples_per_second"),
                   number("cpu_seconds_per_1000_samples"));
    }
  }

  const Arguments& arguments_;
  const CascadeSpec cascade_;
  const SlabLayout layout_;
  const Slab slab_;
  const Probes probes_;
  std::vector<SlotId> slots_;
  size_t next_slot_ = 0;
  std::vector<RowResult> results_;
  double copy_rate_ = 0;  // bytes a second
};

}  // namespace
}  // namespace escan

int main(int argc, char** argv) {
  escan::Arguments arguments;
  CLI::App app(
      "Measures one step of a GPU worker (gather, graph, scores, answer) against the bare replay "
      "of\n"
      "the same graph, alone and with two batches in flight, and fails where the model answers\n"
      "otherwise than on the CPU. JSON lines go to standard output, a table to standard error.",
      "escan-step-benchmark");
  app.option_defaults()->always_capture_default();
  app.add_option("--model", arguments.model, "TorchScript, or a package of AOTInductor")
      ->required();
  app.add_option("--input", arguments.inputs, "DATATYPE:SHAPE of a row of each argument")
      ->required();
  app.add_option("--output", arguments.outputs, "DATATYPE:SHAPE of a row of each result")
      ->required();
  app.add_option("--score", arguments.score, "what the exit score is");
  app.add_option("--score-output", arguments.score_output, "of which output");
  app.add_option("--buckets", arguments.buckets, "rows, ascending")->delimiter(',');
  app.add_option("--precision", arguments.precision, "fp32 or fp16");
  app.add_option("--layout", arguments.layout, "auto, contiguous or channels_last");
  app.add_option("--cache", arguments.cache, "folder that keeps choices of variants");
  app.add_option("--seconds", arguments.seconds, "length of each measurement");
  CLI11_PARSE(app, argc, argv);
  escan::StepBenchmark(arguments).Run();
  // As a worker ends: libtorch's destructors take long.
  std::cout.flush();
  ::_exit(0);
}
