#include "controller/device_use.h"

#include <algorithm>

#include "allocation/memory.h"

namespace escan {

DeviceUse UseOf(const EngineStatus& status, int devices) {
  DeviceUse most;
  for (int device = 0; device < devices; ++device) {
    DeviceUse use;
    size_t largest = 0;
    for (const EngineStatus::Worker& worker : status.workers) {
      if (worker.member.role.device != device) continue;
      ++use.clients;
      use.memory_bytes += worker.device_memory;
      largest = std::max(largest, worker.device_memory);
    }
    most.clients = std::max(most.clients, use.clients);
    most.memory_bytes = std::max(most.memory_bytes, use.memory_bytes + largest);
  }
  return most;
}

DeviceUse operator+(const DeviceUse& a, const DeviceUse& b) {
  return {.clients = a.clients + b.clients, .memory_bytes = a.memory_bytes + b.memory_bytes};
}

SearchLimits LimitsBeside(const DeviceUse& others) {
  SearchLimits limits;
  limits.clients = std::max(limits.clients - others.clients, 1);
  limits.classes = std::min(limits.classes, limits.clients);
  return limits;
}

Profile ProfileBeside(Profile profile, const DeviceUse& others) {
  if (profile.device_memory_bytes == 0) return profile;
  // Of what is left here the search uses kUsableMemory; of the device as a whole it is that part.
  const auto taken = static_cast<size_t>(static_cast<double>(others.memory_bytes) / kUsableMemory);
  profile.device_memory_bytes -= std::min(taken, profile.device_memory_bytes - 1);
  return profile;
}

}  // namespace escan
