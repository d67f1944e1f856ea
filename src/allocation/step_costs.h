#pragma once

#include <vector>

#include "contracts/profile.h"

namespace escan {

// Looks up a profile, and between what was measured: linearly between shares and between client
// counts, those nearest beyond them; between buckets as Profile::padded says, the first below it.
// The profile outlives this. Plain code; any thread.
class StepCosts {
 public:
  explicit StepCosts(const Profile& profile) : profile_(profile) {}

  // Of a batch of 1 to LargestBucket rows, alone on the device.
  Seconds StepTime(int stage, int rows, int thread_percent) const;

  // Of such a batch when the one before it at the worker ended just now.
  Seconds SteadyStepTime(int stage, int rows, int thread_percent) const;

  // Of such a batch while `clients` workers, 1 or more, keep the device busy.
  Seconds DeviceTime(int stage, int rows, int thread_percent, int clients) const;

  const Profile& profile() const { return profile_; }

 private:
  // Looks up a table by [share][bucket].
  Seconds Alone(const std::vector<std::vector<Seconds>>& times, const std::vector<int>& buckets,
                int rows, int thread_percent) const;

  const Profile& profile_;
};

}  // namespace escan
