#pragma once

namespace escan {

// First input bytes of a row that the misbehaving worker's mode `poison` stumbles over.
inline constexpr unsigned char kDeadlyByte = 0xEE;   // aborts the process
inline constexpr unsigned char kFailingByte = 0xDD;  // the row alone fails

}  // namespace escan
