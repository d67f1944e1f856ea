#pragma once

#include <sys/types.h>

#include "escan/time.h"
#include "ipc/unique_fd.h"

namespace escan {

// A descriptor that names the process `pid`, and no other that gets its number later; it becomes
// readable when the process ends. None, with errno, when there is no such process.
UniqueFd OpenPidfd(pid_t pid);

// Nothing when the process has ended.
void SendSignal(int pidfd, int signal);

// Whether the process has ended by `deadline`, for which it waits. A deadline in the past looks
// only.
bool AwaitEnd(int pidfd, TimePoint deadline);

}  // namespace escan
