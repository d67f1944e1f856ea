#pragma once

#include <torch/script.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/files/model_file.h"
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

// One way to run a module.
struct ModuleVariant {
  std::string name;
  torch::jit::Module module;
  bool last_resort = false;  // to be run where no other answers rightly
};

// Reads TorchScript that has a forward(), onto the CPU. InvalidArgument says what is wrong with it.
absl::StatusOr<torch::jit::Module> ReadModule(const ModelFile& file);

// The module with its weights as constants, which later passes need. InvalidArgument says why not.
absl::StatusOr<torch::jit::Module> FreezeModule(const torch::jit::Module& module);

// The ways to run the module of a file on the CPU, the surest first: "frozen", then "optimized"
// where libtorch can optimise it for inference, and as a last resort "plain", as it is. Where there
// is one of the name `only`, no other is made. Errors are those of the two above.
absl::StatusOr<std::vector<ModuleVariant>> ReadModuleVariants(const ModelFile& file,
                                                              std::string_view only = {});

// OK when the module's forward() can be called with so many tensors.
absl::Status CheckArgumentCount(const torch::jit::Module& module, size_t tensors);

}  // namespace escan
