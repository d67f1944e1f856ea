#pragma once

#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace escan {

// The CPU time that this process's cgroups allow it, in CPUs: the least quota of the groups that it
// is in and of those above; nullopt when there is none. That is how containers are limited: they
// may run on all CPUs of the machine, for a part of the time. `memberships` is the text of
// /proc/self/cgroup, `root` where the hierarchies are mounted; version 1 and 2, cgroups(7).
std::optional<double> CpuQuota(std::string_view memberships, const std::filesystem::path& root);

// What workers on the processor share.
struct CpuBudget {
  std::vector<int> cpus;
  // Whether a worker is to run on the CPUs of its share only. Not under a quota: there they stand
  // for so much time, on any CPU, and other containers would be pinned to the same ones.
  bool pinned = true;

  friend bool operator==(const CpuBudget&, const CpuBudget&) = default;
};

// Of the CPUs `usable` (not empty) as many as `quota` has whole ones, at least one: a thread more
// would make all of them wait for the next period.
CpuBudget BudgetOf(std::vector<int> usable, std::optional<double> quota);

// This process's.
CpuBudget UsableCpuBudget();

}  // namespace escan
