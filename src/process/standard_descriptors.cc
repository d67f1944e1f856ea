#include "process/standard_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace escan {

void OpenStandardDescriptors() {
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) {
    if (fcntl(number, F_GETFD) != -1 || errno != EBADF) continue;
    // Gets the lowest number that is free, which is this one.
    [[maybe_unused]] const int opened = open("/dev/null", O_RDWR);
  }
}

// Before the initialisers of shared libraries, some of which open descriptors: System V ABI, gABI
// "Initialization and Termination Functions".
[[gnu::section(".preinit_array"), gnu::used]] void (*const before_all)() = OpenStandardDescriptors;

}  // namespace escan
