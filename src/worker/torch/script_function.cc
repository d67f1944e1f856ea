#include "worker/torch/script_function.h"

#include <torch/csrc/jit/runtime/graph_executor.h>

#include "worker/torch/torch_tensors.h"

namespace escan {

std::vector<c10::IValue> ScriptFunction::Call(std::vector<at::Tensor> inputs) {
  // Modules are optimised as far as they get. Left on, the interpreter would profile the first runs
  // and specialise the graph for their shapes, which vary from batch to batch.
  const torch::jit::GraphOptimizerEnabledGuard keep_graph(false);
  std::vector<c10::IValue> arguments;
  arguments.reserve(inputs.size() + 1);  // forward() puts the module in front
  for (at::Tensor& input : inputs) {
    const bool convert =
        half_inputs_ && (input.scalar_type() == at::kFloat || input.scalar_type() == at::kDouble);
    arguments.emplace_back(convert ? input.to(at::kHalf) : std::move(input));
  }
  return Elements(module_.forward(std::move(arguments)));
}

}  // namespace escan
