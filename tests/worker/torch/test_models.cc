#include "worker/torch/test_models.h"

#include <torch/script.h>

namespace escan {
namespace {

// Every model but backbone_large begins with this.
const std::string kProbabilities = R"(
def forward(self, image):
    x = image.float() / 255.0
    probabilities = torch.softmax(torch.matmul(x, self.to_classes), 1)
)";

// 8 times the first three values.
const ModelWeight kToClasses = {.name = "to_classes",
                                .shape = {4, 3},
                                .values = {8, 0, 0,  //
                                           0, 8, 0,  //
                                           0, 0, 8,  //
                                           0, 0, 0}};

// The four values and their halves.
const ModelWeight kToFeatures = {
    .name = "to_features", .shape = {4, 8}, .values = {1, 0, 0, 0, 0.5f, 0,    0,    0,  //
                                                       0, 1, 0, 0, 0,    0.5f, 0,    0,  //
                                                       0, 0, 1, 0, 0,    0,    0.5f, 0,  //
                                                       0, 0, 0, 1, 0,    0,    0,    0.5f}};

// 16 times the halves of the first three values, in reverse order.
const ModelWeight kFromFeatures = {
    .name = "from_features", .shape = {8, 3}, .values = {0,  0,  0,   //
                                                         0,  0,  0,   //
                                                         0,  0,  0,   //
                                                         0,  0,  0,   //
                                                         0,  0,  16,  //
                                                         0,  16, 0,   //
                                                         16, 0,  0,   //
                                                         0,  0,  0}};

// The remainder by zero traps. TorchScript checks a division's divisor, not a remainder's.
const std::string kDieOn254 = R"(
    divisor = 1 - int((image == 254).any())
    return probabilities + float(0 % divisor)
)";

// The powers of an identity matrix, so that the answer is exact and the work cannot be left out.
const std::string kMultiplyMatrices = R"(
    identity = torch.eye(256)
    power = identity
    for _ in range(int(image[:, 3].max()) * 8):
        power = torch.mm(power, identity)
    return probabilities * power[0, 0]
)";

// A GPU finds an index out of range by an assertion in its kernel, which is the end of its context;
// the CPU throws.
const std::string kTrapOn253 = R"(
    row = (image == 253).any(1).long() * 1000
    return probabilities + torch.index_select(self.zeros, 0, row)
)";

const ModelWeight kZeros = {.name = "zeros", .shape = {2, 1}, .values = {0, 0}};

// 16 Mi elements a row.
const std::string kTakeMemory = R"(
    much = image[:, :1].expand(-1, 16777216).float() + 1.0
    return probabilities + 0.0 * much[:, :1]
)";

}  // namespace

void SaveModel(const std::filesystem::path& file, const std::string& source,
               const std::vector<ModelWeight>& weights) {
  torch::jit::Module module("model");
  for (const ModelWeight& weight : weights) {
    const at::Tensor values = at::tensor(weight.values).reshape(weight.shape);
    module.register_parameter(weight.name, values, /*is_buffer=*/false);
  }
  module.define(source + "\n");
  module.eval();
  module.save(file.string());
}

void SaveTestModels(const std::filesystem::path& folder) {
  SaveModel(folder / "backbone_small.pt",
            kProbabilities + "    return probabilities, torch.matmul(x, self.to_features)\n",
            {kToClasses, kToFeatures});
  SaveModel(folder / "backbone_large.pt", R"(
def forward(self, features):
    return torch.softmax(torch.matmul(features, self.from_features), 1)
)",
            {kFromFeatures});
  SaveModel(folder / "scored.pt", kProbabilities + "    return probabilities, x[:, 3:4]\n",
            {kToClasses});
  SaveModel(folder / "logits.pt", R"(
def forward(self, image):
    return image[:, 0:3].float() * (8.0 / 255.0) - 4.0
)");
  SaveModel(folder / "thrower.pt", kProbabilities + R"(
    assert not bool((image == 255).any()), "255 is not allowed"
    return probabilities
)",
            {kToClasses});
  SaveModel(folder / "reversed.pt", kProbabilities + "    return torch.flip(probabilities, [1])\n",
            {kToClasses});
  SaveModel(folder / "mixed.pt", R"(
def forward(self, image):
    x = image.float() / 255.0
    return torch.softmax(torch.matmul(x - x.mean(0, keepdim=True), self.to_classes), 1)
)",
            {kToClasses});
  SaveModel(folder / "stateful.pt", kProbabilities + R"(
    self.calls.add_(1)
    return probabilities + self.calls
)",
            {kToClasses, {.name = "calls", .shape = {}, .values = {0}}});
  SaveModel(folder / "random.pt",
            kProbabilities + "    return torch.dropout(probabilities, 0.5, True)\n", {kToClasses});
  SaveModel(folder / "aborter.pt", kProbabilities + kDieOn254, {kToClasses});
  SaveModel(folder / "trapper.pt", kProbabilities + kTrapOn253, {kToClasses, kZeros});
  SaveModel(folder / "hog.pt", kProbabilities + kTakeMemory, {kToClasses});
  SaveModel(folder / "slow.pt", kProbabilities + kMultiplyMatrices, {kToClasses});
  SaveModel(folder / "graded.pt", R"(
def forward(self, difficulty):
    return difficulty, -torch.floor(difficulty)
)");
}

}  // namespace escan
