#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "contracts/device.h"

namespace escan {

// NVIDIA's management library, loaded at run time: a machine without the driver has none. It makes
// no CUDA context and takes no memory of a GPU. Used by one thread.
class Nvml {
 public:
  // NotFound when there is no such library; FailedPrecondition, with the reason, when there is one
  // that cannot be used.
  static absl::StatusOr<Nvml> Load(const std::string& library);
  Nvml(Nvml&&) noexcept;
  Nvml& operator=(Nvml&&) = delete;
  ~Nvml();

  std::string DriverVersion() const;  // empty: unknown
  absl::StatusOr<unsigned> DeviceCount() const;
  // What NVML says of GPU `index`. An error when it cannot be asked, for one that was lost or that
  // a container may not see.
  absl::StatusOr<Device> DeviceAt(unsigned index) const;

 private:
  struct Functions;
  struct CloseLibrary {
    void operator()(void* library) const;
  };
  using Library = std::unique_ptr<void, CloseLibrary>;

  Nvml(Library library, std::unique_ptr<Functions> functions);
  absl::Status Check(int result, const char* function) const;

  Library library_;
  std::unique_ptr<Functions> functions_;
};

// The multiprocessors of a GPU with `cores` CUDA cores; 0 when `major`.`minor` is a compute
// capability whose cores per multiprocessor are not known.
int MultiprocessorsOf(unsigned cores, int major, int minor);

}  // namespace escan
