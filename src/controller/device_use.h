#pragma once

#include <cstddef>
#include <vector>

#include "allocation/search_grid.h"
#include "contracts/profile.h"
#include "engine/engine_status.h"

namespace escan {

// What the workers of a cascade take of devices that others use too: of the one where it is most.
struct DeviceUse {
  int clients = 0;
  size_t memory_bytes = 0;
};

// Of the first `devices` devices. Memory is what the processes say, and once more that of the
// largest, which a change of their plan may need.
DeviceUse UseOf(const EngineStatus& status, int devices);

// The sum of several cascades'.
DeviceUse operator+(const DeviceUse& a, const DeviceUse& b);

// What is left for a search: fewer clients, at least one, and a device with less memory.
SearchLimits LimitsBeside(const DeviceUse& others);
Profile ProfileBeside(Profile profile, const DeviceUse& others);

}  // namespace escan
