#pragma once

namespace escan {

// Opens /dev/null as those of the descriptors 0, 1 and 2 that are closed. Else the first sockets
// and files of the program would get their numbers, and what is meant for standard output would be
// written there. A program that calls this first in main() has it called already before the
// libraries that it is linked to begin.
void OpenStandardDescriptors();

}  // namespace escan
