#pragma once

#include <optional>
#include <string>
#include <vector>

#include "contracts/device.h"
#include "escan/cascade.h"

namespace escan {

// What the costs of a stage depend on beside the device.
struct StageKey {
  std::string name;
  std::string model_hash;  // of the model's file, as "fnv1a64:0123456789abcdef"; empty for kNull
  GpuOptions gpu;

  friend bool operator==(const StageKey&, const StageKey&) = default;
};

// Under what a profile was measured. Where one of these differs, its times mean nothing.
struct ProfileKey {
  Device device;       // without UUID and memory, which may differ between equal devices
  std::string driver;  // its version; empty for the CPU
  std::string torch;   // libtorch's version; empty where no stage needs it
  std::vector<StageKey> stages;

  friend bool operator==(const ProfileKey&, const ProfileKey&) = default;
};

// Why a profile measured under one key does not hold under the present one, as
//   driver: it was measured with 570.86.15, and this is 575.51.03
// nullopt where it holds. Of several reasons the first.
std::optional<std::string> StaleReason(const ProfileKey& measured, const ProfileKey& present);

}  // namespace escan
