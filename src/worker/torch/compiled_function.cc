#include "worker/torch/compiled_function.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/zeros_like.h>
#include <stdlib.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "worker/torch/torch_variants.h"

namespace escan {
namespace {

using Json = nlohmann::json;

// Compiled models write what went wrong to std::cerr, and tell their caller only that something
// did.
class ErrorText {
 public:
  ErrorText() : before_(std::cerr.rdbuf(text_.rdbuf())) {}
  ~ErrorText() { std::cerr.rdbuf(before_); }
  ErrorText(const ErrorText&) = delete;
  ErrorText& operator=(const ErrorText&) = delete;

  // The first line, as "Error: input_handles[0]: unmatched dtype, ...", without its beginning.
  std::string What() const {
    constexpr absl::string_view kBeginning = "Error: ";
    const std::string text = text_.str();
    for (absl::string_view line : absl::StrSplit(text, '\n')) {
      if (absl::StartsWith(line, kBeginning)) line.remove_prefix(kBeginning.size());
      if (!line.empty()) return std::string(line);
    }
    return "";
  }

 private:
  std::ostringstream text_;
  std::streambuf* const before_;
};

// Calls the function; an exception tells what the compiled model said of it.
template <typename Function>
auto WithErrorText(Function function) -> decltype(function()) {
  const ErrorText text;
  try {
    return function();
  } catch (const std::exception&) {
    const std::string what = text.What();
    if (what.empty()) throw;
    throw std::runtime_error(what);
  }
}

// Of a tree of containers as torch.utils._pytree.treespec_dumps() writes it.
size_t Leaves(const Json& node) {
  if (!node.is_object()) return 0;
  if (node.value("type", Json()).is_null()) return 1;
  size_t leaves = 0;
  for (const Json& child : node.value("children_spec", Json::array())) leaves += Leaves(child);
  return leaves;
}

bool SaysTwoRowsAtLeast(absl::string_view message) {
  return absl::StrContains(message, "dim value is too small at 0") &&
         absl::StrContains(message, ">= 2");
}

}  // namespace

absl::StatusOr<std::shared_ptr<CompiledFunction>> CompiledFunction::Load(
    const CompiledPackage& package, const char* device) {
  const absl::StatusOr<CompiledModel> model = package.ModelFor(device);
  if (!model.ok()) return model.status();
  absl::StatusOr<UnpackedModel> files = package.Unpack(*model);
  if (!files.ok()) return files.status();
  absl::StatusOr<std::unique_ptr<Runner>> runner =
      CatchTorchErrors([&]() -> absl::StatusOr<std::unique_ptr<Runner>> {
        const auto& makers = torch::inductor::getAOTIModelRunnerRegistry();
        const auto maker = makers.find(device);
        if (maker == makers.end()) {
          return absl::InternalError(absl::StrCat("libtorch runs none for ", device, " here"));
        }
        // Single-threaded: without the locks and events that a graph cannot hold.
        return WithErrorText([&] {
          return maker->second(files->library().string(), /*num_models=*/1,
                               model->device == "cpu" ? "cpu" : absl::StrCat(device, ":0"),
                               files->folder().string(), /*run_single_threaded=*/true);
        });
      });
  if (runner.ok()) {
    std::optional<UnpackedModel> needed;
    if (model->device != "cpu") needed.emplace(*std::move(files));
    return std::shared_ptr<CompiledFunction>(
        new CompiledFunction(std::move(needed), *std::move(runner)));
  }
  const std::string message =
      absl::StrCat("cannot load the compiled model: ", runner.status().message());
  if (absl::StrContains(message, "out of memory")) return absl::ResourceExhaustedError(message);
  return absl::InvalidArgumentError(message);
}

std::vector<at::Tensor> CompiledFunction::Run(const std::vector<at::Tensor>& inputs) {
  return WithErrorText([&] { return runner_->run(inputs); });
}

std::vector<at::Tensor> CompiledFunction::RunSingle(std::vector<at::Tensor> inputs) {
  if (!wants_two_rows_) {
    try {
      return Run(inputs);
    } catch (const std::runtime_error& error) {
      if (!SaysTwoRowsAtLeast(error.what())) throw;
      wants_two_rows_ = true;
    }
  }
  for (at::Tensor& input : inputs) input = at::cat({input, at::zeros_like(input)});
  std::vector<at::Tensor> outputs = Run(inputs);
  for (at::Tensor& output : outputs) {
    if (output.dim() > 0 && output.size(0) == 2) output = output.narrow(0, 0, 1);
  }
  return outputs;
}

std::vector<c10::IValue> CompiledFunction::Call(std::vector<at::Tensor> inputs) {
  const bool single = inputs.front().size(0) == 1;
  const std::vector<at::Tensor> outputs = single ? RunSingle(std::move(inputs)) : Run(inputs);
  return {outputs.begin(), outputs.end()};
}

absl::Status CompiledFunction::CheckArgumentCount(size_t tensors) const {
  const std::vector<std::string> specs = runner_->get_call_spec();
  const Json spec = Json::parse(specs.front(), nullptr, /*allow_exceptions=*/false);
  if (!spec.is_array() || spec.size() != 2) return absl::OkStatus();
  const size_t taken = Leaves(spec[1]);
  if (taken == tensors) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("forward() takes ", taken, " tensors, the stage has ", tensors, " inputs"));
}

size_t CompiledFunction::weight_bytes() const {
  size_t bytes = 0;
  for (const auto& [name, tensor] : runner_->extract_constants_map(/*use_inactive=*/false)) {
    bytes += tensor.nbytes();
  }
  return bytes;
}

void HaveCompiledModelsCheckInputs() { ::setenv("AOTI_RUNTIME_CHECK_INPUTS", "1", 1); }

}  // namespace escan
