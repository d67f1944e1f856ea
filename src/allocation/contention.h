#pragma once

#include <algorithm>
#include <span>

namespace escan {

// What a class of workers asks of a device.
struct DeviceDemand {
  double asked = 0;  // device time of its samples per time, if steps were not slowed
  double most = 0;   // the load on the device while all its workers are busy
};

// The load that a worker which is always busy puts on the device: the more of the capacity is used,
// the more it is that of batches of the largest bucket, if that is more. Grows with each argument.
inline double LoadOfBusyWorker(double unbatched, double largest, double use) {
  return unbatched + use * std::max(largest - unbatched, 0.0);
}

// By how much steps slow each other. Slowed by S, a class has S times as many steps under way, but
// not more than it has workers; then its batches grow instead. So S is the least solution of
//   S^knee = 1 + (crowding * sum of min(S * asked, most))^knee,
// see Crowding. It grows with each demand.
double Slowdown(std::span<const DeviceDemand> demands, double crowding, double knee);

}  // namespace escan
