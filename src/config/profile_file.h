#pragma once

#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "contracts/device.h"
#include "contracts/profile.h"
#include "contracts/profile_key.h"
#include "escan/cascade.h"

namespace escan {

// A profile and under what it was measured.
struct MeasuredProfile {
  ProfileKey key;
  Profile profile;
};

// Reads the profile of a cascade from a file in the form of docs/simulation.md. InvalidArgument has
// one line a mistake, all of them, each as
//   FILE:LINE: stages[0].step_us[1][2]: -3 is not in [0.001, 1e+09]
// NotFound when the file does not exist. That the profile holds here is not checked: StaleReason.
absl::StatusOr<MeasuredProfile> LoadProfile(const std::filesystem::path& file,
                                            const CascadeSpec& cascade);

// The device alone, for who does not know yet what the cascade is. Errors as above.
absl::StatusOr<Device> LoadProfiledDevice(const std::filesystem::path& file);

// JSON that LoadProfile reads back, times to the nanosecond.
std::string ToJson(const MeasuredProfile& profile);

}  // namespace escan
