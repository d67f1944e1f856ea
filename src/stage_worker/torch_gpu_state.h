#pragma once

#include <c10/cuda/CUDAStream.h>

#include "stage_worker/captured_graph.h"
#include "stage_worker/torch_gpu.h"

namespace escan {

struct TorchGpu::State {
  c10::cuda::CUDAStream stream;
  GraphPool pool;
};

}  // namespace escan
