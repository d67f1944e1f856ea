#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace escan {

// libtorch as a worker uses it on its only GPU, device 0: one stream on which all models compute,
// one pool of memory for all of their graphs. Includes no header of libtorch. Make one in a
// process, on the thread that will run the models: the stream becomes that thread's current one.
class TorchGpu {
 public:
  // The device must be initialised. Errors are the device's.
  static absl::StatusOr<TorchGpu> Create();

  TorchGpu(TorchGpu&&) noexcept;
  TorchGpu& operator=(TorchGpu&&) noexcept;
  ~TorchGpu();

  cudaStream_t stream() const;

  // Bytes of the device's memory that libtorch holds: weights, graphs, intermediate results.
  size_t memory_bytes() const;

  // "torch 2.11.0, CUDA 13.0, cuDNN 91900, cuBLAS 130100": what a choice of kernels depends on.
  std::string Libraries() const;

  // For those who include libtorch.
  struct State;
  const State& state() const { return *state_; }

 private:
  explicit TorchGpu(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace escan
