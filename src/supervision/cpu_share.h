#pragma once

#include <span>
#include <vector>

namespace escan {

// What a worker on the CPU may use: `threads` intra-op threads on the CPUs of its affinity mask,
// one each.
struct CpuShare {
  int threads = 1;
  std::vector<int> cpus;  // ascending

  friend bool operator==(const CpuShare&, const CpuShare&) = default;
};

// The share of a worker with `thread_percent` of the CPUs in `usable` (ascending, not empty): as
// many whole CPUs as that part holds, at least one. It gets those that the fewest shares in `taken`
// hold, the lowest of equals, so workers started one after the other lie side by side, and shares
// of at least one CPU each that add up to at most 100 % never overlap.
//
// `taken` are the shares of the device's other workers. Leave out those of workers that a plan
// change is about to end: their CPUs are what the new ones inherit.
CpuShare ShareOfCpus(const std::vector<int>& usable, int thread_percent,
                     std::span<const CpuShare> taken);

// The CPUs that this process may run on, ascending.
std::vector<int> UsableCpus();

}  // namespace escan
