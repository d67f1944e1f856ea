#include "worker/torch/reference_model.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <sched.h>
#include <torch/script.h>
#include <torch/version.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "worker/files/compiled_package.h"
#include "worker/files/model_file.h"
#include "worker/loop/stage_tensors.h"
#include "worker/torch/compiled_function.h"
#include "worker/torch/script_function.h"
#include "worker/torch/torch_datatype.h"
#include "worker/torch/torch_tensors.h"
#include "worker/torch/torch_variants.h"
#include "worker/verification/answer_comparison.h"

namespace escan {
namespace {

constexpr int kMostThreads = 8;
constexpr uint64_t kSeed = 1;
constexpr uint64_t kOtherSeed = 2;

// How many CPUs the calling thread may run on.
int AllowedCpus() {
  cpu_set_t allowed;
  return ::sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
}

// libtorch's own kernels in place of oneDNN's, and many threads; as before when destroyed.
class PlainKernels {
 public:
  PlainKernels()
      : mkldnn_(at::globalContext().userEnabledMkldnn()), threads_(at::get_num_threads()) {
    at::globalContext().setUserEnabledMkldnn(false);
    at::set_num_threads(std::clamp(AllowedCpus(), 1, kMostThreads));
  }
  ~PlainKernels() {
    at::globalContext().setUserEnabledMkldnn(mkldnn_);
    at::set_num_threads(threads_);
  }
  PlainKernels(const PlainKernels&) = delete;
  PlainKernels& operator=(const PlainKernels&) = delete;

 private:
  const bool mkldnn_;
  const int threads_;
};

// One output of some rows: the rows of each output, one behind the other.
using Outputs = std::vector<std::string>;

// The model on the CPU, asked for the probe rows in `slots`.
class ReferenceModel {
 public:
  ReferenceModel(const WorkerStage& stage, const Slab& slab, SharedFunction function)
      : stage_(stage), slab_(slab), function_(std::move(function)) {}

  // All in one batch.
  absl::StatusOr<Outputs> Batch(const std::vector<SlotId>& slots, uint64_t seed) {
    return CatchTorchErrors([&]() -> absl::StatusOr<Outputs> {
      const c10::InferenceMode inference;
      at::manual_seed(seed);
      const int rows = static_cast<int>(slots.size());
      const std::vector<c10::IValue> values = function_->Call(Arguments(slots));
      const absl::Status status = CheckOutputs(values, stage_, rows, /*any_float=*/false);
      if (!status.ok()) return status;
      Outputs outputs;
      for (const c10::IValue& value : values) {
        const at::Tensor rows_of = InPlainMemory(value.toTensor());
        outputs.emplace_back(static_cast<const char*>(rows_of.const_data_ptr()), rows_of.nbytes());
      }
      return outputs;
    });
  }

  // Each in a batch of its own.
  absl::StatusOr<Outputs> OneByOne(const std::vector<SlotId>& slots, uint64_t seed) {
    Outputs all(stage_.outputs.size());
    for (const SlotId slot : slots) {
      const absl::StatusOr<Outputs> row = Batch({slot}, seed);
      if (!row.ok()) return row.status();
      for (size_t i = 0; i < all.size(); ++i) all[i] += (*row)[i];
    }
    return all;
  }

 private:
  std::vector<at::Tensor> Arguments(const std::vector<SlotId>& slots) const {
    std::vector<at::Tensor> arguments;
    for (const SlabTensor& input : stage_.inputs) {
      at::Tensor tensor = at::empty(BatchedShape(input, static_cast<int64_t>(slots.size())),
                                    at::TensorOptions(ToScalarType(input.datatype)));
      GatherRows(slab_, slots, input, static_cast<std::byte*>(tensor.mutable_data_ptr()));
      arguments.push_back(std::move(tensor));
    }
    return arguments;
  }

  const WorkerStage& stage_;
  const Slab& slab_;
  SharedFunction function_;
};

// What differs between the answers for the same rows; nullopt: nothing.
std::optional<std::string> Difference(const WorkerStage& stage, const Slab& slab,
                                      const Outputs& first, const Outputs& second) {
  const size_t rows = first.front().size() / RowBytes(stage.outputs.front());
  std::vector<SlotId> slots(rows);
  std::iota(slots.begin(), slots.end(), SlotId{0});
  WorkerStage plain = stage;
  plain.gpu.precision = Precision::kFp32;
  plain.score = ExitScore::kNone;
  std::vector<const std::byte*> found;
  for (size_t i = 0; i < first.size(); ++i) {
    ScatterRows(slab, slots, stage.outputs[i], reinterpret_cast<const std::byte*>(first[i].data()));
    found.push_back(reinterpret_cast<const std::byte*>(second[i].data()));
  }
  std::vector<RowResult> results(rows);
  const std::vector<float> no_scores(rows, std::numeric_limits<float>::quiet_NaN());
  return CompareAnswer(plain, slab, slots, {found, no_scores}, results);
}

// Why the answers of a model cannot be compared; empty where they can.
std::string WhyIncomparable(const WorkerStage& stage, const Slab& scratch, ReferenceModel& model,
                            const std::vector<SlotId>& slots, const Outputs& answers) {
  const auto differs = [&](const absl::StatusOr<Outputs>& again) {
    return again.ok() ? Difference(stage, scratch, answers, *again) : std::nullopt;
  };
  if (const auto difference = differs(model.OneByOne(slots, kSeed))) {
    return absl::StrCat("it keeps state between calls, so no answer can be repeated: asked again, ",
                        *difference);
  }
  if (const auto difference = differs(model.OneByOne(slots, kOtherSeed))) {
    return absl::StrCat(
        "its answers are random (dropout left on, or exported before eval()?): asked "
        "again, ",
        *difference);
  }
  if (const auto difference = differs(model.Batch(slots, kSeed))) {
    return absl::StrCat(
        "its rows depend on each other, so one request's answers depend on other "
        "clients' data: in company, ",
        *difference);
  }
  return "";
}

std::vector<SlotId> AllSlots(const Slab& slab) {
  std::vector<SlotId> slots(slab.slots());
  std::iota(slots.begin(), slots.end(), SlotId{0});
  return slots;
}

absl::StatusOr<SharedFunction> ReadScript(const WorkerStage& stage, std::string_view content) {
  absl::StatusOr<torch::jit::Module> module = ReadModule(content);
  if (!module.ok()) return module.status();
  const absl::Status status = CheckArgumentCount(*module, stage.inputs.size());
  if (!status.ok()) return status;
  return std::make_shared<ScriptFunction>(*std::move(module));
}

// What a package's answers are compared with: the TorchScript in it, else its model for the CPU.
// Null: it has neither.
absl::StatusOr<SharedFunction> ReferenceOf(const WorkerStage& stage,
                                           const CompiledPackage& package) {
  if (const std::optional<std::string> script = package.Reference()) {
    absl::StatusOr<SharedFunction> function = ReadScript(stage, *script);
    if (!function.ok()) return Annotate("its extra/reference.pt", function.status());
    return function;
  }
  if (!package.HasModelFor("cpu")) return nullptr;
  const absl::StatusOr<std::shared_ptr<CompiledFunction>> compiled =
      CompiledFunction::Load(package, "cpu");
  if (!compiled.ok()) return compiled.status();
  const absl::Status status = (*compiled)->CheckArgumentCount(stage.inputs.size());
  if (!status.ok()) return status;
  return *compiled;
}

absl::StatusOr<SharedFunction> ReferenceOf(const WorkerStage& stage, const ModelFile& file) {
  if (file.format() == ModelFormat::kTorchScript) return ReadScript(stage, file.content());
  const absl::StatusOr<CompiledPackage> package = CompiledPackage::Open(file.content());
  if (!package.ok()) return package.status();
  return ReferenceOf(stage, *package);
}

// Of a model that cannot be asked.
Reference NoReference(const WorkerStage& stage, const Probes& probes) {
  size_t bytes = 0;
  for (const SlabTensor& output : stage.outputs) bytes += RowBytes(output);
  return {.outputs = std::string(bytes * static_cast<size_t>(probes.rows()), '\0'),
          .comparable = false,
          .remark =
              "its package holds nothing that a processor can compute, so no answer can be "
              "checked (TorchScript as extra/reference.pt, or a model for the CPU, would do)"};
}

absl::StatusOr<Reference> Compute(const WorkerStage& stage, const Probes& probes) {
  const absl::StatusOr<ModelFile> file = ModelFile::Read(stage);
  if (!file.ok()) return file.status();
  absl::StatusOr<SharedFunction> function = ReferenceOf(stage, *file);
  if (!function.ok()) return function.status();
  if (*function == nullptr) return NoReference(stage, probes);
  const PlainKernels plain;
  ReferenceModel model(stage, probes.slab(), *std::move(function));
  absl::StatusOr<Slab> scratch = probes.Scratch();
  if (!scratch.ok()) return scratch.status();

  Reference reference;
  std::vector<SlotId> slots = AllSlots(probes.slab());
  absl::StatusOr<Outputs> answers = model.OneByOne(slots, kSeed);
  if (!answers.ok()) {
    const absl::StatusOr<Outputs> of_zeros = model.OneByOne({probes.zeros()}, kSeed);
    // Then the model works for no row: with zeros, and the message of warming up.
    if (!of_zeros.ok()) {
      return Annotate(absl::StrCat("with zeros for ", DescribeInputs(stage, 1)), of_zeros.status());
    }
    reference.zeros_only = true;
    reference.remark = absl::StrCat(
        "it fails on random rows, so its answers are checked with zeros only (`range` of an input, "
        "or "
        "rows of its own in `probe`, would do better): ",
        answers.status().message());
    slots = {probes.zeros()};
    answers = of_zeros;
  }
  if (std::string why = WhyIncomparable(stage, *scratch, model, slots, *answers); !why.empty()) {
    reference.comparable = false;
    reference.remark = std::move(why);
  }
  for (size_t i = 0; i < answers->size(); ++i) {
    // Rows on which the model fails have no answer, and are not asked for.
    const size_t all = RowBytes(stage.outputs[i]) * static_cast<size_t>(probes.rows());
    reference.outputs.append(all - (*answers)[i].size(), '\0');
    reference.outputs += (*answers)[i];
  }
  return reference;
}

}  // namespace

absl::StatusOr<Reference> ComputeReference(const WorkerStage& stage, const Probes& probes) {
  absl::StatusOr<Reference> reference = CatchTorchErrors([&] { return Compute(stage, probes); });
  if (!reference.ok()) return Annotate(StageLabel(stage), reference.status());
  return reference;
}

std::string ReferenceLibraries() { return absl::StrCat("torch ", TORCH_VERSION); }

}  // namespace escan
