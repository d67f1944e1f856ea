#pragma once

#include <exception>
#include <string>

namespace escan {

// What went wrong, in one line of at most 200 characters, for an exception that came out of
// libtorch. Leaves out backtraces: those of C++, and those through TorchScript that the interpreter
// puts before the error itself.
std::string DescribeTorchError(const std::exception& error);

}  // namespace escan
