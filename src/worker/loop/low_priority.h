#pragma once

#include <functional>
#include <vector>

#include "absl/status/status.h"

namespace escan {

// The calling thread, and those that it begins, run on these CPUs from now on; none: as they do.
// Internal, naming the CPUs, when the system refuses.
absl::Status RunOnCpus(const std::vector<int>& cpus);

// Runs `work` on a new thread that gets a tenth of a busy CPU (nice 10), and waits for its end:
// until then it, and the threads that libtorch begins for it, take little from those that serve,
// and come to their end even where the CPUs are never idle. A process may lower its priority but
// not raise it again, so what comes after is for other threads.
void RunAtLowPriority(const std::function<void()>& work);

}  // namespace escan
