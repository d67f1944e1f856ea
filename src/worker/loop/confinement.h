#pragma once

#include "absl/status/status.h"

namespace escan {

// Takes from this process, for good, what a worker has no use for, so that a model file that turns
// out to be hostile gains less by it. What it inherited goes on working.
//
// No program that it starts gains privileges (PR_SET_NO_NEW_PRIVS). Does not change anything else.
absl::Status GiveUpPrivileges();

// For a worker without a GPU, after GiveUpPrivileges(): no thread may open a socket, of the network
// or of this machine, or a ring of io_uring, which could; start a program; or look into or change
// another process. Such calls fail with EPERM. Unimplemented: not on this processor; other errors
// are the kernel's, which may be built without seccomp.
absl::Status GiveUpNetworkAndPrograms();

}  // namespace escan
