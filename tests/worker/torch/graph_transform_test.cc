#include "worker/torch/graph_transform.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "worker/torch/torch_fixture.h"
#include "worker/torch/torch_variants.h"

// On the CPU, which computes in FP16 as well.
namespace escan {
namespace {

class Retargeting : public TorchExecutorTest {
 protected:
  torch::jit::Module Frozen(const std::string& source,
                            const std::vector<ModelWeight>& weights = {}) {
    return FreezeModule(ReadModule(Read(Save(source, weights)).content()).value()).value();
  }

  static at::Tensor Run(torch::jit::Module module, const at::Tensor& x) {
    const c10::InferenceMode inference;
    return module.forward({x}).toTensor();
  }

  const GraphTarget half_ = {.device = c10::kCPU, .half = true};
};

TEST_F(Retargeting, ComputesInHalfWhatTheFileComputesInFp32) {
  const torch::jit::Module frozen = Frozen(
      "def forward(self, x): return torch.matmul(x.float() / 255.0, self.w) + torch.ones(2)\n",
      {{"w", {3, 2}, {1, 2, 3, 4, 5, 6}}});
  const at::Tensor x = at::tensor({0, 51, 255}, at::kByte).reshape({1, 3});
  const at::Tensor full = Run(frozen, x);
  const at::Tensor half = Run(Retarget(frozen, half_), x);
  EXPECT_EQ(full.scalar_type(), at::kFloat);
  EXPECT_EQ(half.scalar_type(), at::kHalf);
  EXPECT_TRUE(at::allclose(half.to(at::kFloat), full, 1e-2, 1e-2));
}

TEST_F(Retargeting, LeavesTheModuleThatItIsGivenAsItIs) {
  const torch::jit::Module frozen =
      Frozen("def forward(self, x): return x.float() * self.w\n", {{"w", {2}, {1, 2}}});
  Retarget(frozen, half_);
  EXPECT_EQ(Run(frozen, at::ones({2})).scalar_type(), at::kFloat);
}

TEST_F(Retargeting, KeepsADatatypeThatIsThereForAccuracy) {
  const torch::jit::Module frozen =
      Frozen("def forward(self, x): return torch.softmax(x.float() * self.w, 0, dtype=6)\n",
             {{"w", {2}, {1, 2}}});
  EXPECT_EQ(Run(Retarget(frozen, half_), at::ones({2})).scalar_type(), at::kFloat);
}

TEST_F(Retargeting, KeepsAnIntegerThatHappensToBeADatatypesNumber) {
  // 6 is FP32's number, and a factor here; the constant is one and the same in the graph.
  const torch::jit::Module frozen = Frozen("def forward(self, x): return x.to(6) * 6\n");
  EXPECT_EQ(Run(Retarget(frozen, half_), at::ones({1}))[0].item<float>(), 6);
}

TEST_F(Retargeting, ReachesIntoBranches) {
  const torch::jit::Module frozen = Frozen(R"(
def forward(self, x):
    if bool(x.sum() > 0):
        return x.float() * self.w
    return x.double().float()
)",
                                           {{"w", {2}, {1, 2}}});
  const torch::jit::Module half = Retarget(frozen, half_);
  EXPECT_EQ(Run(half, at::ones({2})).scalar_type(), at::kHalf);
  EXPECT_EQ(Run(half, -at::ones({2})).scalar_type(), at::kHalf);
}

TEST_F(Retargeting, ConvertsWhatFreezingLeftAnAttribute) {
  const torch::jit::Module frozen = Frozen(R"(
def forward(self, x):
    self.calls = self.calls + 1
    return x.float() + self.calls
)",
                                           {{"calls", {1}, {4}}});
  torch::jit::Module half = Retarget(frozen, half_);
  const at::Tensor sum = Run(half, at::ones({1}));
  EXPECT_EQ(sum.scalar_type(), at::kHalf);
  EXPECT_EQ(sum.item<float>(), 6);
  EXPECT_EQ(Run(frozen, at::ones({1})).item<float>(), 6) << "the attribute was shared";
}

TEST_F(Retargeting, OrdersTheWeightsOfConvolutions) {
  const torch::jit::Module frozen =
      Frozen("def forward(self, x): return torch.conv2d(x.permute(0, 3, 1, 2), self.w)\n",
             {{"w", {1, 2, 1, 1}, {3, 5}}});
  EXPECT_TRUE(HasConvolutions(frozen));
  const at::Tensor x = at::ones({1, 2, 2, 2});
  const at::Tensor result = Run(Retarget(frozen, {.device = c10::kCPU, .channels_last = true}), x);
  EXPECT_TRUE(at::equal(result, Run(frozen, x)));
  EXPECT_FALSE(HasConvolutions(Frozen("def forward(self, x): return x + 1\n")));
}

TEST_F(Retargeting, MakesOnTheDeviceWhatTheCodeMakesOnTheCpu) {
  // `meta` computes shapes only, so it shows where a tensor is on any machine.
  const torch::jit::Module frozen = Frozen(R"(
def forward(self, x):
    return x + torch.zeros([x.size(0)]) + torch.ones([x.size(0)], device="cpu") * self.w
)",
                                           {{"w", {1}, {2}}});
  const at::Tensor result =
      Run(Retarget(frozen, {.device = c10::kMeta}), at::ones({3}, c10::kMeta));
  EXPECT_TRUE(result.is_meta());
}

}  // namespace
}  // namespace escan
