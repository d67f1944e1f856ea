#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace escan {

// A parameter of a module.
struct ModelWeight {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> values;
};

// Compiles `source`, TorchScript methods such as "def forward(self, x): return x + self.w", into a
// module with these parameters and saves it.
void SaveModel(const std::filesystem::path& file, const std::string& source,
               const std::vector<ModelWeight>& weights = {});

// Writes the models that tests of whole programs serve. All but backbone_large take `image`, UINT8
// [N,4], and, with x = image / 255, return the probabilities p = softmax(8 x0, 8 x1, 8 x2), FP32
// [N,3]: thirds for zeros; [0.99933, 0.00034, 0.00034] for [255, 0, 0, any].
//
//   backbone_small.pt  (p, features), features FP32 [N,8] = [x, x / 2]
//   backbone_large.pt  from features alone: p with the first and the last class exchanged
//   scored.pt          (p, score), score FP32 [N,1] = x3: the fourth value is the confidence
//   logits.pt          (8 x0 - 4, 8 x1 - 4, 8 x2 - 4), FP32 [N,3]: a softmax is missing
//   thrower.pt         p; throws "255 is not allowed" when a value in the batch is 255
//   reversed.pt        p with the first and the last class exchanged
//   aborter.pt         p; its process dies of SIGFPE when a value in the batch is 254 (x86-64)
//   trapper.pt         p; on a GPU a kernel traps when a value in the batch is 253, on the CPU the
//                      model throws
//   hog.pt             p; takes up to 128 MiB for each row in between (64 MiB in FP16)
//   mixed.pt           softmax(8 (x - mean of x over the batch)): rows depend on each other
//   stateful.pt        p and the number of calls so far
//   random.pt          p, of which half is dropped at random
//   slow.pt            p; multiplies matrices, v times 8 products of 256 x 256, v being the
//                      largest fourth value of the batch: in the order of 5 ms for v = 1 on a CPU
//
// And graded.pt takes `difficulty`, FP32 [N,1], and returns (difficulty, score), score = -floor(
// difficulty): with the thresholds 0, -1, ... clients decide where a sample exits.
void SaveTestModels(const std::filesystem::path& folder);

}  // namespace escan
