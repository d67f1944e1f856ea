#pragma once

#include <torch/script.h>

#include <utility>
#include <vector>

#include "worker/torch/tensor_function.h"

namespace escan {

// Calls forward() of a TorchScript module, whose graph is run as it is.
class ScriptFunction : public TensorFunction {
 public:
  // `half_inputs`: the module wants FP16 in the place of larger floating-point inputs.
  explicit ScriptFunction(torch::jit::Module module, bool half_inputs = false)
      : module_(std::move(module)), half_inputs_(half_inputs) {}

  std::vector<c10::IValue> Call(std::vector<at::Tensor> inputs) override;

 private:
  torch::jit::Module module_;
  const bool half_inputs_;
};

}  // namespace escan
