#pragma once

#include <string>

#include "absl/strings/str_format.h"

namespace escan::ctl {

// A profile, as JSON, of the cascade TwoStages() on a whole GPU: any batch of `small` takes 1 ms,
// any of `large` takes `large_us`, and of the device's time a step takes `device_us`.
inline std::string OneShareProfile(double large_us, double device_us) {
  return absl::StrFormat(R"({
  "device": {"kind": "gpu", "name": "H100", "multiprocessors": 132},
  "thread_percents": [100],
  "client_counts": [1],
  "padded": true,
  "knee": 4,
  "stages": [
    {"name": "small", "buckets": [1, 4, 16, 64], "step_us": [[1000, 1000, 1000, 1000]],
     "device_time_us": [[[%2$g, %2$g, %2$g, %2$g]]]},
    {"name": "large", "buckets": [1, 8, 32], "step_us": [[%1$g, %1$g, %1$g]],
     "device_time_us": [[[%2$g, %2$g, %2$g]]]}
  ]
})",
                         large_us, device_us);
}

}  // namespace escan::ctl
