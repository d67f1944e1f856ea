#pragma once

#include <torch/csrc/inductor/aoti_runner/model_container_runner.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/files/compiled_package.h"
#include "worker/torch/tensor_function.h"

namespace escan {

// Calls a model that AOTInductor compiled. Its weights are loaded once, whatever the number of
// rows.
class CompiledFunction : public TensorFunction {
 public:
  // Loads the package's model for "cpu", or for "cuda", which is device 0: its library, which is
  // code that this process runs, and its weights. InvalidArgument says why it cannot.
  static absl::StatusOr<std::shared_ptr<CompiledFunction>> Load(const CompiledPackage& package,
                                                                const char* device);

  // A model that was compiled for two rows and more, as torch.export does where nothing is said,
  // gets a row of zeros beside a single one.
  std::vector<c10::IValue> Call(std::vector<at::Tensor> inputs) override;

  // OK when it takes so many tensors, or does not say how many.
  absl::Status CheckArgumentCount(size_t tensors) const;

  // Bytes of its weights, on its device.
  size_t weight_bytes() const;

 private:
  using Runner = torch::inductor::AOTIModelContainerRunner;
  CompiledFunction(std::optional<UnpackedModel> files, std::unique_ptr<Runner> runner)
      : files_(std::move(files)), runner_(std::move(runner)) {}

  std::vector<at::Tensor> Run(const std::vector<at::Tensor>& inputs);
  std::vector<at::Tensor> RunSingle(std::vector<at::Tensor> inputs);

  const std::optional<UnpackedModel> files_;  // kernels for a GPU, read when they are first called
  const std::unique_ptr<Runner> runner_;
  bool wants_two_rows_ = false;
};

// Has the models that are loaded from now on compare their inputs with what they were compiled for.
// That is not their default: other ones would be read as if they were these. Call it in main(),
// before there is a second thread, as it sets an environment variable.
void HaveCompiledModelsCheckInputs();

}  // namespace escan
