#pragma once

namespace escan {

// From here on the first SIGINT or SIGTERM is noted, so that what runs can come to an early end
// with its results; a second one of the same kind ends the program at once. For programs that
// generate load; call it before any other thread starts.
void CatchInterrupts();

// Whether one was noted. Any thread.
bool Interrupted();

}  // namespace escan
