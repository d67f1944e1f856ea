#include "server/listening/descriptor_budget.h"

#include <sys/resource.h>

#include <algorithm>

namespace escan {
namespace {

constexpr rlim_t kMostUseful = 65536;
constexpr int kLargestReserve = 1024;

int Reserve(int limit) { return std::min(limit / 4, kLargestReserve); }

int AsInt(rlim_t limit) { return static_cast<int>(std::min(limit, kMostUseful)); }

}  // namespace

DescriptorLimit RaiseDescriptorLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = std::max(before, std::min(limit.rlim_max, kMostUseful));
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  return {.before = AsInt(before), .now = AsInt(limit.rlim_cur)};
}

int ClientCeiling(int limit) { return limit - Reserve(limit); }
int OperatorCeiling(int limit) { return limit - Reserve(limit) / 2; }

}  // namespace escan
