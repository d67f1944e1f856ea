#include "allocation/profile_shares.h"

#include <cstddef>
#include <vector>

namespace escan {
namespace {

template <typename T>
std::vector<T> Select(const std::vector<T>& table, const std::vector<size_t>& shares) {
  std::vector<T> selected;
  for (const size_t share : shares) {
    if (share < table.size()) selected.push_back(table[share]);
  }
  return selected;
}

}  // namespace

Profile KeepShares(const Profile& profile, const std::function<bool(int thread_percent)>& keep) {
  std::vector<size_t> shares;
  for (size_t i = 0; i < profile.thread_percents.size(); ++i) {
    const bool whole_device = i + 1 == profile.thread_percents.size();
    if (whole_device || keep(profile.thread_percents[i])) shares.push_back(i);
  }
  Profile kept = profile;
  kept.thread_percents = Select(profile.thread_percents, shares);
  for (size_t stage = 0; stage < kept.stages.size(); ++stage) {
    const StageCosts& costs = profile.stages[stage];
    kept.stages[stage].step = Select(costs.step, shares);
    kept.stages[stage].steady_step = Select(costs.steady_step, shares);
    kept.stages[stage].device_time = Select(costs.device_time, shares);
    kept.stages[stage].way = Select(costs.way, shares);
  }
  return kept;
}

}  // namespace escan
