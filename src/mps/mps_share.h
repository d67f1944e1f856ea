#pragma once

#include "absl/status/status.h"

namespace escan {

// What a client of MPS is shown of a GPU, as seen on an H100 of 132 multiprocessors: 75 % -> 98,
// 70 % -> 92, 30 % -> 38, 12 % -> 14, 10 % -> 12, which is the share rounded down to whole pairs.
struct MpsShare {
  int thread_percent = 100;
  int multiprocessors = 0;  // of the whole GPU; 0: unknown

  // FailedPrecondition, with what was seen and what was expected, when a worker that is shown
  // `seen` multiprocessors does not have this share, within two.
  absl::Status Check(int seen) const;

  // Whether only a client of MPS can be shown `seen` multiprocessors: they are this share's, which
  // is clearly less than the whole.
  bool Proves(int seen) const;
};

}  // namespace escan
