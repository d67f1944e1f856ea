#include "allocation/memory.h"

#include <algorithm>

namespace escan {

size_t WorkerMemory(const Profile& profile, std::span<const int> stages) {
  size_t bytes = profile.context_bytes;
  for (const int stage : stages) bytes += profile.stages[static_cast<size_t>(stage)].memory_bytes;
  return bytes;
}

size_t DeviceMemory(const Profile& profile, const Plan& plan, int device) {
  size_t sum = 0;
  size_t largest = 0;
  for (const WorkerGroup& group : plan.workers) {
    if (group.device != device) continue;
    const size_t bytes = WorkerMemory(profile, group.stages);
    sum += bytes * static_cast<size_t>(group.count);
    largest = std::max(largest, bytes);
  }
  return sum + largest;
}

bool Fits(const Profile& profile, size_t bytes) {
  return profile.device_memory_bytes == 0 ||
         static_cast<double>(bytes) <=
             kUsableMemory * static_cast<double>(profile.device_memory_bytes);
}

}  // namespace escan
