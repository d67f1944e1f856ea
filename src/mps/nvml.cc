#include "mps/nvml.h"

#include <dlfcn.h>

#include <array>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"

namespace escan {
namespace {

// From NVIDIA's NVML API reference; its ABI is stable, and `_v2` names are those that nvml.h maps
// the plain ones to.
constexpr int kSuccess = 0;                   // NVML_SUCCESS
constexpr unsigned kDriverVersionBytes = 80;  // NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE
constexpr unsigned kUuidBytes = 96;           // NVML_DEVICE_UUID_V2_BUFFER_SIZE
constexpr unsigned kNameBytes = 96;           // NVML_DEVICE_NAME_V2_BUFFER_SIZE
using Handle = void*;                         // nvmlDevice_t
struct Memory {                               // nvmlMemory_t
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

template <typename Function>
bool Find(void* library, const char* name, Function** function) {
  *function = reinterpret_cast<Function*>(::dlsym(library, name));
  return *function != nullptr;
}

}  // namespace

struct Nvml::Functions {
  int (*init)();
  int (*shutdown)();
  const char* (*error_string)(int);
  int (*driver_version)(char*, unsigned);
  int (*count)(unsigned*);
  int (*handle)(unsigned, Handle*);
  int (*uuid)(Handle, char*, unsigned);
  int (*name)(Handle, char*, unsigned);
  int (*memory)(Handle, Memory*);
  int (*compute_capability)(Handle, int*, int*);
  int (*cores)(Handle, unsigned*);  // since driver 510; null before

  // The name of one that is missing, or null.
  const char* Resolve(void* library) {
    Find(library, "nvmlDeviceGetNumGpuCores", &cores);
    if (!Find(library, "nvmlInit_v2", &init)) return "nvmlInit_v2";
    if (!Find(library, "nvmlShutdown", &shutdown)) return "nvmlShutdown";
    if (!Find(library, "nvmlErrorString", &error_string)) return "nvmlErrorString";
    if (!Find(library, "nvmlSystemGetDriverVersion", &driver_version)) {
      return "nvmlSystemGetDriverVersion";
    }
    if (!Find(library, "nvmlDeviceGetCount_v2", &count)) return "nvmlDeviceGetCount_v2";
    if (!Find(library, "nvmlDeviceGetHandleByIndex_v2", &handle)) {
      return "nvmlDeviceGetHandleByIndex_v2";
    }
    if (!Find(library, "nvmlDeviceGetUUID", &uuid)) return "nvmlDeviceGetUUID";
    if (!Find(library, "nvmlDeviceGetName", &name)) return "nvmlDeviceGetName";
    if (!Find(library, "nvmlDeviceGetMemoryInfo", &memory)) return "nvmlDeviceGetMemoryInfo";
    if (!Find(library, "nvmlDeviceGetCudaComputeCapability", &compute_capability)) {
      return "nvmlDeviceGetCudaComputeCapability";
    }
    return nullptr;
  }
};

void Nvml::CloseLibrary::operator()(void* library) const { ::dlclose(library); }

absl::StatusOr<Nvml> Nvml::Load(const std::string& library) {
  Library handle(::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (handle == nullptr) return absl::NotFoundError(::dlerror());
  auto functions = std::make_unique<Functions>();
  if (const char* missing = functions->Resolve(handle.get())) {
    return absl::FailedPreconditionError(absl::StrCat(library, ": has no ", missing));
  }
  const int result = functions->init();
  if (result != kSuccess) {
    return absl::FailedPreconditionError(
        absl::StrCat(library, ": nvmlInit_v2: ", functions->error_string(result)));
  }
  return Nvml(std::move(handle), std::move(functions));
}

Nvml::Nvml(Library library, std::unique_ptr<Functions> functions)
    : library_(std::move(library)), functions_(std::move(functions)) {}

Nvml::Nvml(Nvml&&) noexcept = default;

Nvml::~Nvml() {
  if (functions_ != nullptr) functions_->shutdown();
}

absl::Status Nvml::Check(int result, const char* function) const {
  if (result == kSuccess) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(function, ": ", functions_->error_string(result)));
}

std::string Nvml::DriverVersion() const {
  std::array<char, kDriverVersionBytes> version{};
  if (functions_->driver_version(version.data(), kDriverVersionBytes) != kSuccess) return "";
  return version.data();
}

absl::StatusOr<unsigned> Nvml::DeviceCount() const {
  unsigned count = 0;
  const absl::Status status = Check(functions_->count(&count), "nvmlDeviceGetCount_v2");
  if (!status.ok()) return status;
  return count;
}

absl::StatusOr<Device> Nvml::DeviceAt(unsigned index) const {
  Handle handle = nullptr;
  std::array<char, kUuidBytes> uuid{};
  std::array<char, kNameBytes> name{};
  Memory memory{};
  absl::Status status = Check(functions_->handle(index, &handle), "nvmlDeviceGetHandleByIndex_v2");
  if (status.ok()) {
    status = Check(functions_->uuid(handle, uuid.data(), kUuidBytes), "nvmlDeviceGetUUID");
  }
  if (status.ok()) {
    status = Check(functions_->name(handle, name.data(), kNameBytes), "nvmlDeviceGetName");
  }
  if (status.ok()) status = Check(functions_->memory(handle, &memory), "nvmlDeviceGetMemoryInfo");
  if (!status.ok()) return status;

  Device device{.kind = Device::Kind::kGpu, .name = name.data(), .uuid = uuid.data()};
  device.memory_bytes = static_cast<size_t>(memory.total);
  int major = 0;
  int minor = 0;
  unsigned cores = 0;
  if (functions_->cores != nullptr && functions_->cores(handle, &cores) == kSuccess &&
      functions_->compute_capability(handle, &major, &minor) == kSuccess) {
    device.multiprocessors = MultiprocessorsOf(cores, major, minor);
  }
  return device;
}

// Cores per multiprocessor: "Technical Specifications per Compute Capability" of NVIDIA's CUDA C++
// Programming Guide, the FP32 units.
int MultiprocessorsOf(unsigned cores, int major, int minor) {
  unsigned cores_each = 0;
  if (major == 7) cores_each = 64;
  if (major == 8) cores_each = minor == 0 ? 64 : 128;
  if (major >= 9 && major <= 12) cores_each = 128;
  return cores_each == 0 ? 0 : static_cast<int>(cores / cores_each);
}

}  // namespace escan
