#pragma once

#include <torch/script.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stage_worker/torch_error.h"

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

// One way to run a module.
struct ModuleVariant {
  std::string name;
  torch::jit::Module module;
};

// Reads a TorchScript file and gives the ways to run it on the CPU, the surest first: "frozen",
// then "optimized" where libtorch can optimise it for inference. Errors: NotFound, InvalidArgument
// with what is wrong with the file.
absl::StatusOr<std::vector<ModuleVariant>> ReadModuleVariants(const std::string& file);

// OK when the module's forward() can be called with so many tensors.
absl::Status CheckArgumentCount(const torch::jit::Module& module, size_t tensors);

}  // namespace escan
