#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contracts/device.h"

namespace escan {

// The GPUs of this machine.
struct GpuList {
  std::vector<Device> gpus;
  // Why GPUs are missing from `gpus`, one reason each. Empty on a machine without NVIDIA's driver,
  // which is not amiss.
  std::vector<std::string> missing;
  std::string driver_version;  // empty: no driver
};

// Asks NVML, in whose order (that of the PCI bus) the list is. `visible` is what
// CUDA_VISIBLE_DEVICES says, if it is set: then the list has those GPUs only, in that order.
GpuList ListGpus(const std::optional<std::string>& visible = std::nullopt,
                 const std::string& library = "libnvidia-ml.so.1");

// The GPUs that CUDA_VISIBLE_DEVICES selects, by CUDA's rules: indices and UUIDs or their
// beginnings, separated by commas; the first that names no GPU ends the list, and is told in
// `missing`. Indices count in the order of `gpus`, so CUDA_DEVICE_ORDER=PCI_BUS_ID is taken for
// granted on machines whose GPUs differ. Parts of a GPU (MIG-...) are not supported.
GpuList SelectVisible(GpuList all, std::string_view visible);

}  // namespace escan
