#include "worker/torch/torch_model.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "escan/time.h"
#include "worker/files/model_file.h"
#include "worker/loop/exit_scores.h"
#include "worker/loop/stage_tensors.h"
#include "worker/torch/torch_datatype.h"
#include "worker/torch/torch_tensors.h"
#include "worker/torch/torch_variants.h"
#include "worker/verification/bucket_checks.h"

namespace escan {
namespace {

// The first run with a number of rows builds kernels for it, the second still fills caches.
constexpr int kWarmUpRuns = 3;

// A variant's time is that of its fastest run: of so many, fewer where they take longer than this
// together, one at least.
constexpr int kTimedRuns = 10;
constexpr Duration kTimedRunsLimit = std::chrono::milliseconds(200);

absl::StatusOr<std::vector<ModelVariant>> ReadVariants(const WorkerStage& stage,
                                                       std::string_view only) {
  const absl::StatusOr<ModelFile> file = ModelFile::Read(stage);
  if (!file.ok()) return file.status();
  return escan::ReadVariants(*file, stage.inputs.size(), only);
}

// How a variant did.
struct VariantTrial {
  ModelVariant variant;
  std::vector<double> times;  // seconds, as Times()
  double relative_time = 0;   // to that of the first variant, summed over the timed buckets
  std::string wrong;          // what is wrong with its answers; empty: nothing
};

}  // namespace

struct TorchModel::State {
  WorkerStage stage;
  ModelVariant variant;
  std::vector<at::Tensor> inputs;  // each with room for the largest bucket
  // Of the last Forward().
  std::vector<at::Tensor> outputs;
  std::vector<const std::byte*> output_rows;
  std::vector<float> scores;

  absl::Status AllocateInputs();
  absl::Status Forward(int rows);
  void Score(int rows);
  absl::Status WarmUp(int rows);
  absl::StatusOr<Duration> FastestRun(int rows);
  // Seconds of the fastest runs with the smallest and with the largest bucket.
  absl::StatusOr<std::vector<double>> Times();
  // What is wrong with the variant's answers to the probe rows, at any bucket; nullopt: nothing.
  absl::StatusOr<std::optional<std::string>> WhatIsWrong(const Probes& probes);
  absl::Status KeepFastest(std::vector<ModelVariant> variants, const Probes* probes,
                           std::vector<BucketCheck>* checks);
};

absl::Status TorchModel::State::AllocateInputs() {
  return CatchTorchErrors([&] {
    for (const SlabTensor& input : stage.inputs) {
      inputs.push_back(at::zeros(BatchedShape(input, LargestBucket(stage)),
                                 at::TensorOptions(ToScalarType(input.datatype))));
    }
    return absl::OkStatus();
  });
}

absl::Status TorchModel::State::Forward(int rows) {
  return CatchTorchErrors([&] {
    const c10::InferenceMode inference;
    std::vector<at::Tensor> arguments;
    for (const at::Tensor& input : inputs) arguments.push_back(input.narrow(0, 0, rows));
    const std::vector<c10::IValue> values = variant.function->Call(std::move(arguments));
    const absl::Status status = CheckOutputs(values, stage, rows, /*any_float=*/false);
    if (!status.ok()) return status;
    outputs.clear();
    output_rows.clear();
    for (const c10::IValue& value : values) {
      outputs.push_back(InPlainMemory(value.toTensor()));
      output_rows.push_back(static_cast<const std::byte*>(outputs.back().const_data_ptr()));
    }
    Score(rows);
    return absl::OkStatus();
  });
}

void TorchModel::State::Score(int rows) {
  std::span<const float> row;
  if (stage.score != ExitScore::kNone) {
    const auto output = static_cast<size_t>(stage.score_output);
    row = {reinterpret_cast<const float*>(output_rows[output]),
           RowBytes(stage.outputs[output]) / sizeof(float)};
  }
  scores.resize(static_cast<size_t>(rows));
  for (float& score : scores) {
    score = ExitScoreOf(stage.score, row);
    row = {row.data() + row.size(), row.size()};
  }
}

absl::Status TorchModel::State::WarmUp(int rows) {
  for (at::Tensor& input : inputs) {
    std::memset(input.mutable_data_ptr(), 0, input.nbytes());
  }
  for (int run = 0; run < kWarmUpRuns; ++run) {
    const absl::Status status = Forward(rows);
    if (!status.ok()) {
      return Annotate(absl::StrCat("with zeros for ", DescribeInputs(stage, rows)), status);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Duration> TorchModel::State::FastestRun(int rows) {
  Duration fastest = Duration::max();
  const TimePoint first = Clock::now();
  for (int run = 0; run < kTimedRuns; ++run) {
    const TimePoint start = Clock::now();
    if (const absl::Status status = Forward(rows); !status.ok()) return status;
    const TimePoint end = Clock::now();
    fastest = std::min<Duration>(fastest, end - start);
    if (end - first > kTimedRunsLimit) break;
  }
  return fastest;
}

absl::StatusOr<std::vector<double>> TorchModel::State::Times() {
  std::vector<double> times;
  for (const int rows : {SmallestBucket(stage), LargestBucket(stage)}) {
    if (const absl::Status status = WarmUp(rows); !status.ok()) return status;
    const absl::StatusOr<Duration> fastest = FastestRun(rows);
    if (!fastest.ok()) return fastest.status();
    times.push_back(std::chrono::duration<double>(*fastest).count());
  }
  return times;
}

absl::StatusOr<std::optional<std::string>> TorchModel::State::WhatIsWrong(const Probes& probes) {
  for (const int rows : stage.buckets) {
    const std::vector<SlotId> slots = probes.Batch(stage.index, rows);
    for (size_t i = 0; i < inputs.size(); ++i) {
      GatherRows(probes.slab(), slots, stage.inputs[i],
                 static_cast<std::byte*>(inputs[i].mutable_data_ptr()));
    }
    if (const absl::Status status = Forward(rows); !status.ok()) return status;
    std::vector<RowResult> results(slots.size());
    std::optional<std::string> wrong =
        CompareAnswer(stage, probes.slab(), slots, {output_rows, scores}, results);
    if (wrong) return absl::StrCat("with ", rows, " rows, ", *wrong);
  }
  return std::nullopt;
}

absl::Status TorchModel::State::KeepFastest(std::vector<ModelVariant> variants,
                                            const Probes* probes,
                                            std::vector<BucketCheck>* checks) {
  variant = variants.front();
  const absl::StatusOr<std::vector<double>> base = Times();
  if (!base.ok()) return base.status();
  const bool compare = probes != nullptr && probes->comparable(stage.index);
  std::optional<VariantTrial> best;
  std::optional<VariantTrial> wrong;  // the fastest of those that answer wrongly
  for (const ModelVariant& candidate : variants) {
    if (candidate.last_resort && best) break;
    variant = candidate;
    const absl::StatusOr<std::vector<double>> times = Times();
    if (!times.ok()) continue;  // what libtorch made of the module does not work; the first does
    VariantTrial trial = {.variant = candidate, .times = *times};
    for (size_t k = 0; k < base->size(); ++k) trial.relative_time += (*times)[k] / (*base)[k];
    if (compare) {
      const absl::StatusOr<std::optional<std::string>> what = WhatIsWrong(*probes);
      // One that cannot compute what the reference could is no better than a wrong one.
      trial.wrong = what.ok() ? what->value_or("") : std::string(what.status().message());
    }
    std::optional<VariantTrial>& rival = trial.wrong.empty() ? best : wrong;
    if (!rival || trial.relative_time < rival->relative_time) rival = std::move(trial);
  }
  if (!best && !wrong) return absl::InternalError("no variant of the model runs twice");
  variant = (best ? best : wrong)->variant;
  if (probes == nullptr) return absl::OkStatus();
  StageOutcome outcome = {.way = variant.name};
  if (!best) {
    outcome.verdict = Verdict::kWrong;
    outcome.message = wrong->wrong;
  } else if (wrong && wrong->relative_time < best->relative_time) {
    outcome.verdict = Verdict::kRightByRemedy;
    outcome.message = absl::StrCat(wrong->variant.name, ": ", wrong->wrong);
  }
  std::vector<Duration> steps(stage.buckets.size());  // but for two, not timed
  const std::vector<double>& times = (best ? best : wrong)->times;
  steps.front() = std::chrono::duration_cast<Duration>(Seconds(times.front()));
  steps.back() = std::chrono::duration_cast<Duration>(Seconds(times.back()));
  std::ranges::copy(ChecksOf(stage, *probes, outcome, steps), std::back_inserter(*checks));
  return best ? absl::OkStatus() : AnswersWrongly(stage, "", outcome.message);
}

absl::StatusOr<TorchModel> TorchModel::Load(const WorkerStage& stage, const Probes* probes,
                                            const VariantChoices& choices,
                                            std::vector<BucketCheck>* checks) {
  std::unique_ptr<State> state;
  std::vector<BucketCheck> found;
  // Of all variants, or of the only one of that name.
  const auto load = [&](std::string_view only) {
    state = std::make_unique<State>(State{.stage = stage});
    found.clear();
    absl::StatusOr<std::vector<ModelVariant>> variants = ReadVariants(stage, only);
    if (!variants.ok()) return variants.status();
    absl::Status status = state->AllocateInputs();
    if (status.ok()) status = state->KeepFastest(*std::move(variants), probes, &found);
    return status;
  };
  // Workers start together: one tries, the others wait for what it finds.
  std::optional<std::string> chosen = choices.Find(stage);
  UniqueFd reserved;
  if (!chosen) {
    reserved = choices.Reserve(stage);
    chosen = choices.Find(stage);
  }
  absl::Status status = load(chosen.value_or(""));
  if (chosen && !status.ok()) {
    chosen.reset();
    status = load("");
  }
  std::ranges::move(found, std::back_inserter(*checks));
  if (!status.ok()) return absl::IsDataLoss(status) ? status : Annotate(StageLabel(stage), status);
  // What cannot be kept is found at each start.
  if (!chosen) choices.Store(stage, state->variant.name).IgnoreError();
  return TorchModel(std::move(state));
}

TorchModel::TorchModel(std::unique_ptr<State> state) : state_(std::move(state)) {}
TorchModel::TorchModel(TorchModel&&) noexcept = default;
TorchModel& TorchModel::operator=(TorchModel&&) noexcept = default;
TorchModel::~TorchModel() = default;

const WorkerStage& TorchModel::stage() const { return state_->stage; }

const std::string& TorchModel::variant() const { return state_->variant.name; }

std::byte* TorchModel::input(size_t i) {
  return static_cast<std::byte*>(state_->inputs[i].mutable_data_ptr());
}

absl::Status TorchModel::Forward(int rows) { return state_->Forward(rows); }

ComputedAnswer TorchModel::answer() const { return {state_->output_rows, state_->scores}; }

absl::Status TorchModel::WarmUp(int rows) {
  const absl::Status status = state_->WarmUp(rows);
  return status.ok() ? status : Annotate(StageLabel(state_->stage), status);
}

void LimitTorchThreads(int threads) {
  at::set_num_threads(threads);
  static std::once_flag once;  // libtorch refuses a second call, also by the same number
  std::call_once(once, [] { at::set_num_interop_threads(1); });
}

}  // namespace escan
