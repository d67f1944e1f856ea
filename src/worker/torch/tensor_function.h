#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <memory>
#include <vector>

namespace escan {

// What a model computes, in whatever format its file is: from a stage's inputs, in order, its
// outputs, as they come and unchecked. On a GPU the work is enqueued on the thread's current
// stream. Throws what libtorch throws. Used by one thread at a time.
class TensorFunction {
 public:
  virtual ~TensorFunction() = default;
  virtual std::vector<c10::IValue> Call(std::vector<at::Tensor> inputs) = 0;
};

// One may be part of several ways to run a stage.
using SharedFunction = std::shared_ptr<TensorFunction>;

}  // namespace escan
