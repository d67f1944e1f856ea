#include "worker/cuda/gpu_memory.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "worker/cuda/gpu_status.h"

namespace escan {

absl::StatusOr<GpuStream> MakeStream(bool urgent) {
  int least = 0;
  int greatest = 0;
  cudaError_t error = cudaDeviceGetStreamPriorityRange(&least, &greatest);
  cudaStream_t stream = nullptr;
  if (error == cudaSuccess) {
    error = cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, urgent ? greatest : least);
  }
  if (error != cudaSuccess) return GpuStatus(error, "make a stream");
  return GpuStream(stream);
}

absl::StatusOr<GpuEvent> MakeEvent() {
  cudaEvent_t event = nullptr;
  const cudaError_t error =
      cudaEventCreateWithFlags(&event, cudaEventDisableTiming | cudaEventBlockingSync);
  if (error != cudaSuccess) return GpuStatus(error, "make an event");
  return GpuEvent(event);
}

absl::StatusOr<DeviceMemory> AllocateDevice(size_t bytes) {
  void* memory = nullptr;
  const cudaError_t error = cudaMalloc(&memory, std::max<size_t>(bytes, 1));
  if (error != cudaSuccess) {
    return GpuStatus(error, absl::StrCat("allocate ", bytes, " bytes of the GPU's memory"));
  }
  return DeviceMemory(static_cast<std::byte*>(memory));
}

absl::StatusOr<PinnedMemory> AllocatePinned(size_t bytes) {
  void* memory = nullptr;
  const cudaError_t error = cudaHostAlloc(&memory, std::max<size_t>(bytes, 1),
                                          cudaHostAllocPortable | cudaHostAllocMapped);
  if (error != cudaSuccess) {
    return GpuStatus(error, absl::StrCat("allocate ", bytes, " bytes of pinned memory"));
  }
  return PinnedMemory(static_cast<std::byte*>(memory));
}

absl::StatusOr<RegisteredSlab> RegisteredSlab::Register(const Slab& slab) {
  const std::span<std::byte> bytes = slab.bytes();
  const std::string doing =
      absl::StrCat("pin the ", bytes.size(), " bytes of the samples' memory for the GPU");
  cudaError_t error = cudaHostRegister(bytes.data(), bytes.size(),
                                       cudaHostRegisterPortable | cudaHostRegisterMapped);
  if (error != cudaSuccess) return GpuStatus(error, doing);
  RegisteredSlab registered;
  registered.registration_ = GpuResource<std::byte*, &Unregister>(bytes.data());
  void* on_device = nullptr;
  error = cudaHostGetDevicePointer(&on_device, bytes.data(), /*flags=*/0);
  if (error != cudaSuccess) return GpuStatus(error, doing);
  const std::byte* first = slab.At(0, 0);
  registered.slots_ = {.base = static_cast<const std::byte*>(on_device) + (first - bytes.data()),
                       .stride = slab.slots() > 1 ? static_cast<size_t>(slab.At(1, 0) - first) : 0};
  return registered;
}

}  // namespace escan
