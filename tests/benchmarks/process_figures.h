#pragma once

#include <sys/types.h>

#include <cstddef>

#include "escan/time.h"

namespace escan {

// Processor time that a process has used, user and system, to the kernel's tick (10 ms).
struct ProcessorTime {
  Duration own{};
  Duration children{};  // of those that run now
};

// From /proc. Zero for a process that does not exist.
ProcessorTime ReadProcessorTime(pid_t pid);

// Bytes of a process's resident memory without what is shared memory, such as a slab: RssAnon and
// RssFile of /proc/PID/status.
size_t ReadResidentBytes(pid_t pid);

}  // namespace escan
