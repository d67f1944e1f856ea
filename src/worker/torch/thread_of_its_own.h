#pragma once

#include <c10/cuda/CUDAStream.h>

#include <functional>
#include <thread>

namespace escan {

// Calls `function` on a new thread whose CUDA stream is `stream`, and waits for its end. libtorch
// remembers for each thread which algorithm it runs a convolution with, found by guessing or by
// measuring, and looks no further. So each trial has a thread of its own, and none leaves its
// findings to the thread that serves.
inline void OnThreadOfItsOwn(c10::cuda::CUDAStream stream, const std::function<void()>& function) {
  std::thread([&] {
    c10::cuda::setCurrentCUDAStream(stream);
    function();
  }).join();
}

}  // namespace escan
