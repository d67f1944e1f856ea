#include "worker/torch/convolution_fusion.h"

#include <gtest/gtest.h>
#include <torch/csrc/jit/passes/subgraph_rewrite.h>

#include <string>
#include <vector>

#include "worker/torch/torch_fixture.h"
#include "worker/torch/torch_variants.h"

// The fused operations exist on a GPU only. So they are counted, taken apart again by libtorch's
// own rewriter, and what is left computed on the CPU.
namespace escan {
namespace {

// [2, 2, 3, 3], others for another seed.
ModelWeight Kernel(const std::string& name, int seed) {
  ModelWeight weight{name, {2, 2, 3, 3}, {}};
  for (int i = 0; i < 36; ++i) weight.values.push_back(static_cast<float>(i * seed % 11 - 5) / 10);
  return weight;
}

void TakeApart(torch::jit::Module& module) {
  const std::string rest = "%b, %stride, %padding, %dilation, %groups";
  const std::string convolution = "  %c = aten::conv2d(%x, %w, " + rest + ")\n";
  torch::jit::SubgraphRewriter rewriter;
  rewriter.RegisterRewritePattern(
      "graph(%x, %w, " + rest +
          "):\n"
          "  %r = aten::cudnn_convolution_relu(%x, %w, " +
          rest + ")\n  return (%r)",
      "graph(%x, %w, " + rest + "):\n" + convolution + "  %r = aten::relu(%c)\n  return (%r)");
  rewriter.RegisterRewritePattern("graph(%x, %w, %z, %alpha, " + rest +
                                      "):\n"
                                      "  %r = aten::cudnn_convolution_add_relu(%x, %w, %z, "
                                      "%alpha, " +
                                      rest + ")\n  return (%r)",
                                  "graph(%x, %w, %z, %alpha, " + rest + "):\n" + convolution +
                                      "  %s = aten::add(%c, %z, %alpha)\n"
                                      "  %r = aten::relu(%s)\n  return (%r)");
  rewriter.runOnModule(module);
}

class ConvolutionFusion : public TorchExecutorTest {
 protected:
  // How many operations are made of the body of a forward(x), x FP32 [N,2,H,W], in which k and l
  // are kernels and b is a bias; fails where that changes what it computes.
  int Fused(const std::string& body) {
    const std::string source =
        "def forward(self, x):\n    k = self.k\n    l = self.l\n    b = self.b\n" + body;
    torch::jit::Module module =
        FreezeModule(
            ReadModule(Read(Save(source, {Kernel("k", 7), Kernel("l", 5), {"b", {2}, {0.5f, -1}}}))
                           .content())
                .value())
            .value();
    const c10::InferenceMode inference;
    const at::Tensor x = at::arange(64, at::kFloat).remainder(7).sub(3).reshape({1, 2, 4, 8});
    const at::Tensor expected = module.forward({x.clone()}).toTensor();
    const int fused = FuseConvolutions(module);
    module.get_method("forward").graph()->lint();
    TakeApart(module);
    EXPECT_TRUE(at::allclose(module.forward({x.clone()}).toTensor(), expected)) << body;
    return fused;
  }
};

TEST_F(ConvolutionFusion, MakesOneOfAConvolutionAndItsRelu) {
  EXPECT_EQ(Fused("    return torch.relu(torch.conv2d(x, k, b, [2, 1], [1, 2]))\n"), 1);
  EXPECT_EQ(Fused("    return torch.relu_(torch.conv2d(x, k, None, [1, 1], [1, 1]))\n"), 1);
}

TEST_F(ConvolutionFusion, TakesASumInEitherOrder) {
  for (const std::string sum : {"c + x", "x + c", "c.add_(x)", "torch.add(x, c)"}) {
    EXPECT_EQ(Fused("    c = torch.conv2d(x, k, b, [1, 1], [1, 1])\n"
                    "    return torch.relu(" +
                    sum + ")\n"),
              1)
        << sum;
  }
}

TEST_F(ConvolutionFusion, FollowsChainsThatReadEachOther) {
  EXPECT_EQ(Fused("    y = torch.relu(torch.conv2d(x, k, b, [1, 1], [1, 1]))\n"
                  "    z = torch.relu_(torch.conv2d(y, l, b, [1, 1], [1, 1]))\n"
                  "    return torch.relu(y + torch.conv2d(z, k, None, [1, 1], [1, 1]))\n"),
            3);
}

TEST_F(ConvolutionFusion, TakesOneConvolutionOfASumOfTwo) {
  EXPECT_EQ(Fused("    return torch.relu(torch.conv2d(x, k, b, [1, 1], [1, 1]) +\n"
                  "                      torch.conv2d(x, l, b, [1, 1], [1, 1]))\n"),
            1);
}

TEST_F(ConvolutionFusion, ReadsTracedModulesToo) {
  EXPECT_EQ(
      Fused("    return torch.relu(torch._convolution(x, k, b, [1, 1], [1, 1], [1, 1], False,\n"
            "                      [0, 0], 1, False, False, True, True))\n"),
      1);
}

TEST_F(ConvolutionFusion, LeavesWhatOthersReadOrCuDnnDoesNotHave) {
  const std::string convolution = "    c = torch.conv2d(x, k, b, [1, 1], [1, 1])\n";
  EXPECT_EQ(Fused(convolution + "    return torch.relu(c) + c\n"), 0);
  EXPECT_EQ(Fused(convolution + "    s = c + x\n    return torch.relu(s) + s\n"), 0);
  EXPECT_EQ(Fused(convolution + "    return torch.relu(torch.add(c, x, alpha=2))\n"), 0);
  EXPECT_EQ(Fused(convolution + "    return torch.sigmoid(c)\n"), 0);
  EXPECT_EQ(
      Fused("    return torch.relu(torch._convolution(x, k, b, [1, 1], [1, 1], [1, 1], True,\n"
            "                      [0, 0], 1, False, False, True, True))\n"),
      0);
}

TEST_F(ConvolutionFusion, KeepsWhatIsReadBeforeItIsChanged) {
  EXPECT_EQ(Fused("    s = torch.conv2d(x + 1, k, b, [1, 1], [1, 1]) + x\n"
                  "    x.zero_()\n"
                  "    return torch.relu(s) + x\n"),
            0);
  EXPECT_EQ(Fused("    c = torch.conv2d(x, k, b, [1, 1], [1, 1])\n"
                  "    x.zero_()\n"
                  "    return torch.relu(c) + x\n"),
            0);
}

}  // namespace
}  // namespace escan
