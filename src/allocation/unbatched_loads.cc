#include "allocation/unbatched_loads.h"

#include <algorithm>

#include "allocation/contention.h"

namespace escan {

void UnbatchedLoads::Add(const SearchGrid& grid, int stage, int share, int clients, double part,
                         size_t index) {
  Load& load = classes_[index];
  load.is_short = load.is_short && grid.IsShort(stage, share);
  if (part == 0) return;
  const SearchGrid::Alone& least = grid.least_alone(stage, share, clients);
  load.worker += part * least.step.count();
  load.device += part * least.device.count();
  load.largest_worker += part * least.largest_worker.count();
  load.largest_device += part * least.largest_device.count();
  load.least = std::min(load.least, least.load);
}

// Of a worker that is always busy. The mean over steps is that of single rows, else what it may
// least be: it depends on the batch limits.
double UnbatchedLoads::LoadAtLeast(const SearchGrid& grid, const Hosting& hosting,
                                   size_t index) const {
  const Load& load = classes_[index];
  const bool exact = grid.workload().rows_per_request == 1;
  double unbatched = exact ? load.device / load.worker : load.least;
  double largest = load.largest_device / load.largest_worker;
  const bool ended = (hosting.ended >> index & 1) != 0;
  const int share = hosting.candidate.classes[index].share;
  for (int stage = 0; !ended && stage < hosting.open; ++stage) {
    const SearchGrid::Alone& alone = grid.least_alone(stage, share, hosting.clients);
    unbatched = std::min(unbatched, alone.load);
    largest = std::min(largest, alone.largest_load());
  }
  return LoadOfBusyWorker(unbatched, largest, hosting.use);
}

double UnbatchedLoads::SlowdownAtLeast(const SearchGrid& grid, const Hosting& hosting, double rate,
                                       double crowding, const SlowdownBound& slowdown) const {
  std::array<DeviceDemand, kMostClasses> demands{};
  size_t count = 0;
  for (size_t c = 0; c < hosting.candidate.used().size(); ++c) {
    if (classes_[c].worker == 0) continue;
    demands[count++] = {.asked = rate * classes_[c].device,
                        .most = hosting.candidate.classes[c].count * LoadAtLeast(grid, hosting, c)};
  }
  return slowdown.Of({demands.data(), count}, crowding);
}

}  // namespace escan
