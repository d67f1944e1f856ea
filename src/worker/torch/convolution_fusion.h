#pragma once

#include <torch/script.h>

namespace escan {

// Makes one operation of a convolution and the ReLU, or the addition and the ReLU, that follow it,
// in the code of a frozen module for a GPU. Returns how many it made.
//
// libtorch's own fusion, in optimize_for_inference(), wants contiguous weights, a sum whose first
// operand is the convolution, and a module that was scripted, not traced. This one takes
// channels_last, either order, and both. What it makes runs on a GPU only: cuDNN's fused kernels,
// aten::cudnn_convolution_relu and aten::cudnn_convolution_add_relu. They throw where cuDNN has
// none for a shape.
int FuseConvolutions(torch::jit::Module& module);

}  // namespace escan
