// NVIDIA's management library as far as mps/nvml.h uses it, on a machine with an H100, a GPU that
// was lost, an A100 and a GPU of an unknown kind. One of these is defined:
//
//   FAKE_NVML_GOOD             all of it
//   FAKE_NVML_OLD              cannot tell a GPU's cores
//   FAKE_NVML_UNINITIALISABLE  nvmlInit_v2 fails
//   FAKE_NVML_INCOMPLETE       has no nvmlDeviceGetName
//   FAKE_NVML_THREADED         has no GPU, and a thread that waits for ever, as the driver's may

#include <array>
#include <cstdint>
#include <cstring>
#ifdef FAKE_NVML_THREADED
#include <unistd.h>

#include <thread>
#endif

namespace {

constexpr int kSuccess = 0;
constexpr int kGpuIsLost = 15;                  // NVML_ERROR_GPU_IS_LOST
[[maybe_unused]] constexpr int kMismatch = 18;  // NVML_ERROR_LIB_RM_VERSION_MISMATCH
constexpr int kInvalid = 2;                     // NVML_ERROR_INVALID_ARGUMENT
constexpr unsigned kLost = 1;

struct Gpu {
  const char* uuid;
  const char* name;
  unsigned long long memory;
  unsigned cores;
  int major;
  int minor;
};

constexpr std::array<Gpu, 4> kGpus = {{
    {"GPU-11111111-aaaa", "NVIDIA H100 80GB HBM3", 85520809984ULL, 132 * 128, 9, 0},
    {"", "", 0, 0, 0, 0},
    {"GPU-11111111-bbbb", "NVIDIA A100-SXM4-40GB", 42949672960ULL, 108 * 64, 8, 0},
    {"GPU-22222222-cccc", "NVIDIA Something", 1024, 4096, 42, 0},
}};

// A handle is an index plus one: never null.
const Gpu& At(void* handle) { return kGpus[reinterpret_cast<uintptr_t>(handle) - 1]; }

int Copy(const char* from, char* to, unsigned size) {
  if (std::strlen(from) >= size) return kInvalid;
  std::strcpy(to, from);
  return kSuccess;
}

}  // namespace

extern "C" {

int nvmlInit_v2() {
#ifdef FAKE_NVML_UNINITIALISABLE
  return kMismatch;
#else
#ifdef FAKE_NVML_THREADED
  std::thread([] {
    while (true) ::pause();
  }).detach();
#endif
  return kSuccess;
#endif
}
int nvmlShutdown() { return kSuccess; }
const char* nvmlErrorString(int result) {
  return result == kGpuIsLost ? "GPU is lost" : "Driver/library version mismatch";
}
int nvmlSystemGetDriverVersion(char* version, unsigned size) {
  return Copy("580.159.04", version, size);
}
int nvmlDeviceGetCount_v2(unsigned* count) {
#ifdef FAKE_NVML_THREADED
  *count = 0;
#else
  *count = kGpus.size();
#endif
  return kSuccess;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** handle) {
  if (index == kLost) return kGpuIsLost;
  *handle = reinterpret_cast<void*>(uintptr_t{index} + 1);
  return kSuccess;
}
int nvmlDeviceGetUUID(void* handle, char* uuid, unsigned size) {
  return Copy(At(handle).uuid, uuid, size);
}
#ifndef FAKE_NVML_INCOMPLETE
int nvmlDeviceGetName(void* handle, char* name, unsigned size) {
  return Copy(At(handle).name, name, size);
}
#endif
int nvmlDeviceGetMemoryInfo(void* handle, unsigned long long* total_free_used) {
  total_free_used[0] = At(handle).memory;
  return kSuccess;
}
int nvmlDeviceGetCudaComputeCapability(void* handle, int* major, int* minor) {
  *major = At(handle).major;
  *minor = At(handle).minor;
  return kSuccess;
}
#ifndef FAKE_NVML_OLD
int nvmlDeviceGetNumGpuCores(void* handle, unsigned* cores) {
  *cores = At(handle).cores;
  return kSuccess;
}
#endif

}  // extern "C"
