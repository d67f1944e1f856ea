#pragma once

#include <torch/script.h>

namespace escan {

// Where and how a module is to compute.
struct GraphTarget {
  c10::Device device = c10::kCUDA;
  bool half = false;           // in FP16 what the file computes in FP32
  bool channels_last = false;  // order of four-dimensional weights, as convolutions see them
};

// A copy of a frozen module, made for the CPU, that computes for `target`:
//   - its weights and other constant tensors, and the attributes that freezing left, are moved and,
//     where they are floating-point, converted; so are FP32 casts and new tensors in its code;
//   - tensors that its code makes on the CPU, or without naming a device, are made on the device.
// Integers without dimensions stay on the CPU: in traced models they compute shapes. Functions that
// are told a datatype for accuracy, such as a softmax in FP32, keep it. May throw.
torch::jit::Module Retarget(const torch::jit::Module& frozen, const GraphTarget& target);

// True when a convolution's weights are among the constants.
bool HasConvolutions(const torch::jit::Module& frozen);

}  // namespace escan
