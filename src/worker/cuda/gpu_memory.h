#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <utility>

#include "absl/status/statusor.h"
#include "ipc/slab.h"
#include "worker/cuda/gpu_kernels.h"

// Owners of what CUDA hands out, of the current device. None is copied; a destructor frees. Errors
// are those of GpuStatus().
namespace escan {

// A resource that `kFree` gives back.
template <typename Handle, auto kFree>
class GpuResource {
 public:
  GpuResource() = default;
  explicit GpuResource(Handle handle) : handle_(handle) {}
  GpuResource(GpuResource&& other) noexcept : handle_(std::exchange(other.handle_, Handle{})) {}
  GpuResource& operator=(GpuResource&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~GpuResource() {
    if (handle_ != Handle{}) kFree(handle_);
  }

  Handle get() const { return handle_; }

 private:
  Handle handle_{};
};

inline void FreeDevice(std::byte* memory) { cudaFree(memory); }
inline void FreePinned(std::byte* memory) { cudaFreeHost(memory); }
inline void Unregister(std::byte* memory) { cudaHostUnregister(memory); }

using GpuStream = GpuResource<cudaStream_t, &cudaStreamDestroy>;
using GpuEvent = GpuResource<cudaEvent_t, &cudaEventDestroy>;
using DeviceMemory = GpuResource<std::byte*, &FreeDevice>;
using PinnedMemory = GpuResource<std::byte*, &FreePinned>;

// A stream that waits for no other; `urgent`: its kernels go first where a multiprocessor is free.
absl::StatusOr<GpuStream> MakeStream(bool urgent);
// An event without a time; who synchronizes with it sleeps.
absl::StatusOr<GpuEvent> MakeEvent();
absl::StatusOr<DeviceMemory> AllocateDevice(size_t bytes);
// Memory of the host that the device reads and writes at the same address.
absl::StatusOr<PinnedMemory> AllocatePinned(size_t bytes);

// The slab's mapping in this process, pinned and visible to the device, which only reads it.
class RegisteredSlab {
 public:
  // `slab` must outlive the result.
  static absl::StatusOr<RegisteredSlab> Register(const Slab& slab);

  const DeviceSlots& slots() const { return slots_; }

 private:
  GpuResource<std::byte*, &Unregister> registration_;
  DeviceSlots slots_;
};

}  // namespace escan
