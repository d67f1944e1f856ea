#include "supervision/cpu_share.h"

#include <sched.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <map>

namespace escan {

CpuShare ShareOfCpus(const std::vector<int>& usable, int thread_percent,
                     std::span<const CpuShare> taken) {
  assert(!usable.empty());
  std::map<int, int> holders;
  for (const CpuShare& share : taken) {
    for (const int cpu : share.cpus) ++holders[cpu];
  }
  const int available = static_cast<int>(usable.size());
  const int threads = std::clamp(available * thread_percent / 100, 1, available);
  CpuShare share{.threads = threads, .cpus = usable};
  std::stable_sort(share.cpus.begin(), share.cpus.end(),
                   [&](int left, int right) { return holders[left] < holders[right]; });
  share.cpus.resize(static_cast<size_t>(threads));
  std::sort(share.cpus.begin(), share.cpus.end());
  return share;
}

std::vector<int> UsableCpus() {
  // The kernel refuses a mask that is smaller than its own, whose size nothing tells.
  std::vector<cpu_set_t> mask(1);
  while (::sched_getaffinity(0, mask.size() * sizeof(cpu_set_t), mask.data()) != 0 &&
         errno == EINVAL) {
    mask.resize(mask.size() * 2);
  }
  const size_t bytes = mask.size() * sizeof(cpu_set_t);
  std::vector<int> cpus;
  for (size_t cpu = 0; cpu < bytes * 8; ++cpu) {
    if (CPU_ISSET_S(cpu, bytes, mask.data())) cpus.push_back(static_cast<int>(cpu));
  }
  return cpus;
}

}  // namespace escan
