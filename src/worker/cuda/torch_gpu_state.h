#pragma once

#include <c10/cuda/CUDAStream.h>

#include "worker/cuda/captured_graph.h"
#include "worker/cuda/torch_gpu.h"

namespace escan {

struct TorchGpu::State {
  c10::cuda::CUDAStream stream;
  GraphPool pool;
};

}  // namespace escan
