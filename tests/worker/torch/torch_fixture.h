#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "support/temporary_folder.h"
#include "worker/files/model_file.h"
#include "worker/loop/cascade_in_slab.h"
#include "worker/torch/test_models.h"
#include "worker/torch/torch_executor.h"

namespace escan {

using Path = std::filesystem::path;

// A folder for models that goes with the test.
class TorchExecutorTest : public testing::Test {
 protected:
  Path Save(const std::string& source, const std::vector<ModelWeight>& weights = {}) {
    const Path file = folder_ / "model.pt";
    SaveModel(file, source, weights);
    return file;
  }

  static ModelFile Read(const Path& file) {
    return ModelFile::Read({.model = file.string()}).value();
  }

  const TemporaryFolder temporary_;
  const Path folder_ = temporary_.path();
};

inline StageSpec TorchStage(const std::string& name, const Path& model,
                            std::vector<TensorRef> inputs, std::vector<TensorSpec> outputs) {
  StageSpec stage;
  stage.name = name;
  stage.model = model;
  stage.inputs = std::move(inputs);
  stage.outputs = std::move(outputs);
  stage.buckets = {1, 4, 8};
  return stage;
}

// image UINT8 [N,4] to probabilities FP32 [N,3], as all test models do.
inline CascadeSpec ImageCascade(const Path& model) {
  CascadeSpec cascade;
  cascade.inputs = {{.name = "image", .datatype = Datatype::kUint8, .shape = {4}}};
  cascade.stages = {
      TorchStage("only", model, {{.tensor = 0}}, {{.name = "probabilities", .shape = {3}}})};
  return cascade;
}

// One FP32 value in, one out.
inline CascadeSpec ScalarCascade(const Path& model) {
  CascadeSpec cascade;
  cascade.inputs = {{.name = "x", .shape = {}}};
  cascade.stages = {TorchStage("only", model, {{.tensor = 0}}, {{.name = "y", .shape = {}}})};
  return cascade;
}

// Keeps nothing.
inline VariantChoices NoChoices() { return VariantChoices(CacheFolder(""), 1, "none"); }

inline TorchExecutor MakeTorchExecutor(const CascadeInSlab& bench) {
  return TorchExecutor(bench.Stages(), bench.slab(), /*probes=*/nullptr, NoChoices(),
                       [](const WorkerStage&, const std::string&) {});
}

inline absl::Status Prepare(TorchExecutor& executor) {
  return executor.Prepare([](int, int) {});
}

}  // namespace escan
