#pragma once

#include <torch/script.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/files/model_file.h"
#include "worker/torch/tensor_function.h"
#include "worker/torch/torch_error.h"

namespace escan {

// Calls `function`, which returns a Status or StatusOr, and makes an error of whatever it throws.
template <typename Function>
auto CatchTorchErrors(Function function) -> decltype(function()) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& error) {
    return absl::InternalError(DescribeTorchError(error));
  } catch (...) {
    return absl::InternalError("an exception of unknown type");
  }
}

// One way to run a model.
struct ModelVariant {
  std::string name;
  SharedFunction function;
  bool last_resort = false;  // to be run where no other answers rightly
};

// Reads TorchScript that has a forward(), onto the CPU. InvalidArgument says what is wrong with it.
absl::StatusOr<torch::jit::Module> ReadModule(std::string_view content);

// The module with its weights as constants, which later passes need. InvalidArgument says why not.
absl::StatusOr<torch::jit::Module> FreezeModule(const torch::jit::Module& module);

// OK when the module's forward() can be called with so many tensors.
absl::Status CheckArgumentCount(const torch::jit::Module& module, size_t tensors);

// The ways to run the model of a file on the CPU, the surest first. Of TorchScript: "frozen", then
// "optimized" where libtorch can optimise it for inference, and as a last resort "plain", as it is.
// Of a package of AOTInductor: "aot_inductor". Where there is one of the name `only`, no other is
// made. InvalidArgument says what is wrong with the model, be it that it takes another number of
// tensors.
absl::StatusOr<std::vector<ModelVariant>> ReadVariants(const ModelFile& file, size_t tensors,
                                                       std::string_view only = {});

}  // namespace escan
