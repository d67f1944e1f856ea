#pragma once

namespace escan {

// Exit status of a worker whose stages cannot be served as they are configured: no file, another
// shape than declared. To start it again does not mend that.
inline constexpr int kUnservableExitStatus = 3;

}  // namespace escan
