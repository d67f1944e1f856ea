#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "cuda/gpu_test.h"
#include "worker/cuda/cuda_executor.h"
#include "worker/loop/cascade_in_slab.h"
#include "worker/loop/stage_tensors.h"
#include "worker/torch/torch_fixture.h"

namespace escan {

// Models in a folder of the test's, and executors for the GPU that say what they log.
class CudaExecutorTest : public TorchExecutorTest {
 protected:
  void SetUp() override {
    ESCAN_SKIP_WITHOUT_GPU();
    SaveTestModels(folder_);
  }

  std::unique_ptr<CudaExecutor> MakeCuda(const CascadeInSlab& bench, int credits = 1) {
    CudaExecutor::Options options = {
        .stages = bench.Stages(), .credits = credits, .cache = cache_.string()};
    options.log = [this](const std::string& fields) { log_.push_back(fields); };
    return std::make_unique<CudaExecutor>(std::move(options), bench.slab());
  }

  // Prepared, or the test has failed.
  std::unique_ptr<CudaExecutor> MakePrepared(const CascadeInSlab& bench, int credits = 1) {
    std::unique_ptr<CudaExecutor> executor = MakeCuda(bench, credits);
    const absl::Status status = Prepare(*executor);
    EXPECT_TRUE(status.ok()) << status;
    return executor;
  }

  static absl::Status Prepare(StageExecutor& executor) {
    return executor.Prepare([](int, int) {});
  }

  bool Logged(const std::string& text) const {
    for (const std::string& line : log_) {
      if (absl::StrContains(line, text)) return true;
    }
    return false;
  }
  std::string Log() const {
    std::string all;
    for (const std::string& line : log_) all += line + "\n";
    return all;
  }

  Path cache_;  // none
  std::vector<std::string> log_;
};

struct BatchAnswer {
  std::vector<RowResult> results;
  std::string failure;
  absl::Status status;
};

inline BatchAnswer RunOnce(StageExecutor& executor, int stage, const std::vector<SlotId>& slots,
                           BatchPurpose purpose = BatchPurpose::kServe) {
  BatchAnswer answer{.results = std::vector<RowResult>(slots.size())};
  answer.status = executor.Start({.stage = stage, .slots = slots, .purpose = purpose});
  if (answer.status.ok()) answer.status = executor.Finish(answer.results, &answer.failure);
  return answer;
}

// Every input of the request at every slot: whole numbers below `end`, and FP32 in [0, 1). 253 and
// more is what some models end at.
inline void FillInputs(CascadeInSlab& bench, unsigned seed, unsigned end = 250) {
  std::minstd_rand random(seed);
  for (SlotId slot = 0; slot < CascadeInSlab::kSlots; ++slot) {
    for (size_t i = 0; i < bench.cascade().inputs.size(); ++i) {
      const TensorSpec& input = bench.cascade().inputs[i];
      const auto elements = static_cast<size_t>(input.elements());
      if (input.datatype == Datatype::kUint8) {
        std::vector<uint8_t> row(elements);
        for (uint8_t& x : row) x = static_cast<uint8_t>((random() >> 8) % end);
        bench.SetInput(slot, i, row);
      } else {
        std::vector<float> row(elements);
        for (float& x : row) x = static_cast<float>((random() >> 8) % 1000) / 1000;
        bench.SetInput(slot, i, row);
      }
    }
  }
}

// Slots in no order, none twice.
inline std::vector<SlotId> ScatteredSlots(size_t rows, size_t first = 0) {
  std::vector<SlotId> slots(rows);
  for (size_t i = 0; i < rows; ++i) {
    slots[i] = static_cast<SlotId>(((first + i) * 29 + 3) % CascadeInSlab::kSlots);
  }
  return slots;
}

// An image UINT8 [8,8,3] to ten probabilities, through convolutions, a normalisation and a
// residual.
inline void SaveConvolutions(const Path& file) {
  const auto wave = [](const std::string& name, std::vector<int64_t> shape, float scale,
                       float offset = 0) {
    ModelWeight weight{.name = name, .shape = std::move(shape)};
    int64_t count = 1;
    for (const int64_t size : weight.shape) count *= size;
    for (int64_t k = 0; k < count; ++k) {
      weight.values.push_back(
          offset + scale * std::sin(static_cast<float>(k) * 0.7f + static_cast<float>(count)));
    }
    return weight;
  };
  SaveModel(file, R"(
def forward(self, image):
    x = image.permute(0, 3, 1, 2).float() / 255.0
    x = torch.relu(torch.conv2d(x, self.stem, None, [1, 1], [1, 1]))
    y = torch.conv2d(x, self.first, None, [1, 1], [1, 1])
    y = torch.relu(torch.batch_norm(y, self.gamma, self.beta, self.mean, self.variance, False, 0.0, 1e-5, True))
    x = torch.relu(torch.conv2d(y, self.second, None, [1, 1], [1, 1]) + x)
    return torch.softmax(torch.matmul(x.mean([2, 3]), self.classes), 1)
)",
            {wave("stem", {16, 3, 3, 3}, 0.4f), wave("first", {16, 16, 3, 3}, 0.2f),
             wave("gamma", {16}, 0.3f, 1), wave("beta", {16}, 0.1f), wave("mean", {16}, 0.1f),
             wave("variance", {16}, 0.2f, 1), wave("second", {16, 16, 3, 3}, 0.2f),
             wave("classes", {16, 10}, 2)});
}

inline CascadeSpec ConvolutionCascade(const Path& model) {
  CascadeSpec cascade;
  cascade.inputs = {{.name = "image", .datatype = Datatype::kUint8, .shape = {8, 8, 3}}};
  cascade.stages = {
      TorchStage("only", model, {{.tensor = 0}}, {{.name = "probabilities", .shape = {10}}})};
  cascade.stages[0].exit = {.score = ExitScore::kMaxProbability, .threshold = 0.3f};
  return cascade;
}

}  // namespace escan
