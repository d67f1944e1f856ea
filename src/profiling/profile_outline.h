#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "config/profile_file.h"
#include "contracts/device.h"
#include "escan/cascade.h"

namespace escan {

// Where a cascade would be profiled.
struct ProfilingSite {
  Device device;
  int cpus = 1;        // that workers on the CPU may use
  std::string driver;  // of the GPU; not looked at for the CPU
  std::string torch;   // the version of libtorch that workers run with
};

// Under what a profile is measured there. NotFound naming the model's file that cannot be read,
// which is read as a whole.
absl::StatusOr<ProfileKey> KeyOf(const CascadeSpec& cascade, const ProfilingSite& site);

// A profile without times: what is to be measured, and what is known without measuring. Shares are
// 30, 50 and 100 % of a GPU; of the CPU 25, 50 and 100 %, less those that make no other number of
// cores than the next one. Up to 8 clients share a GPU, up to 4 the CPU.
MeasuredProfile ProfileOutline(const CascadeSpec& cascade, const ProfilingSite& site,
                               ProfileKey key);

}  // namespace escan
