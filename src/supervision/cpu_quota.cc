#include "supervision/cpu_quota.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "supervision/cpu_share.h"

namespace escan {
namespace {

std::optional<double> Least(std::optional<double> left, std::optional<double> right) {
  if (!left.has_value() || !right.has_value()) return left.has_value() ? left : right;
  return std::min(left, right);
}

std::optional<double> Ratio(double quota, double period) {
  if (quota <= 0 || period <= 0) return std::nullopt;
  return quota / period;
}

// cpu.max: "QUOTA PERIOD" in microseconds, or "max PERIOD".
std::optional<double> QuotaOfVersion2(const std::filesystem::path& group) {
  std::ifstream file(group / "cpu.max");
  double quota = 0;
  double period = 0;
  if (!(file >> quota >> period)) return std::nullopt;
  return Ratio(quota, period);
}

// Microseconds; a quota of -1 is none.
std::optional<double> QuotaOfVersion1(const std::filesystem::path& group) {
  std::ifstream quota_file(group / "cpu.cfs_quota_us");
  std::ifstream period_file(group / "cpu.cfs_period_us");
  double quota = 0;
  double period = 0;
  if (!(quota_file >> quota) || !(period_file >> period)) return std::nullopt;
  return Ratio(quota, period);
}

// Of `group` in the hierarchy mounted at `mount` and all groups above it. In a container the path
// may be the host's, of which only the root can be seen.
template <typename Reader>
std::optional<double> LeastUpwards(const std::filesystem::path& mount, std::filesystem::path group,
                                   Reader reader) {
  group = group.relative_path();
  std::optional<double> least;
  while (true) {
    least = Least(least, reader(mount / group));
    if (group.empty()) return least;
    group = group.parent_path();
  }
}

bool HasController(std::string_view controllers, std::string_view wanted) {
  while (!controllers.empty()) {
    const std::string_view one = controllers.substr(0, controllers.find(','));
    if (one == wanted) return true;
    controllers.remove_prefix(std::min(one.size() + 1, controllers.size()));
  }
  return false;
}

}  // namespace

std::optional<double> CpuQuota(std::string_view memberships, const std::filesystem::path& root) {
  std::optional<double> least;
  while (!memberships.empty()) {
    // HIERARCHY:CONTROLLERS:PATH
    const std::string_view line = memberships.substr(0, memberships.find('\n'));
    memberships.remove_prefix(std::min(line.size() + 1, memberships.size()));
    const size_t first = line.find(':');
    const size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::filesystem::path group(line.substr(second + 1));
    if (controllers.empty()) {
      least = Least(least, LeastUpwards(root, group, QuotaOfVersion2));
    } else if (HasController(controllers, "cpu")) {
      for (const std::string_view mount : {controllers, std::string_view("cpu")}) {
        least = Least(least, LeastUpwards(root / mount, group, QuotaOfVersion1));
      }
    }
  }
  return least;
}

CpuBudget BudgetOf(std::vector<int> usable, std::optional<double> quota) {
  if (!quota.has_value() || *quota >= static_cast<double>(usable.size())) {
    return {.cpus = std::move(usable), .pinned = true};
  }
  usable.resize(std::max(static_cast<size_t>(*quota), size_t{1}));
  return {.cpus = std::move(usable), .pinned = false};
}

CpuBudget UsableCpuBudget() {
  std::ifstream file("/proc/self/cgroup");
  const std::string memberships{std::istreambuf_iterator<char>(file), {}};
  return BudgetOf(UsableCpus(), CpuQuota(memberships, "/sys/fs/cgroup"));
}

}  // namespace escan
