#pragma once

#include <cstddef>
#include <span>

#include "contracts/plan.h"
#include "contracts/profile.h"

namespace escan {

// The part of a device's memory that workers may take.
inline constexpr double kUsableMemory = 0.9;

// Bytes of a device's memory that one worker takes: its context and its stages.
size_t WorkerMemory(const Profile& profile, std::span<const int> stages);

// Bytes of the device that the plan needs: all its workers, and room to start the largest one anew
// beside them.
size_t DeviceMemory(const Profile& profile, const Plan& plan, int device);

// Whether so much may be taken.
bool Fits(const Profile& profile, size_t bytes);

}  // namespace escan
