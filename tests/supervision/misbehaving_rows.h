#pragma once

namespace escan {

// First input bytes of a row that the misbehaving worker stumbles over, in the modes that say so.
inline constexpr unsigned char kDeadlyByte = 0xEE;   // ends the process
inline constexpr unsigned char kFailingByte = 0xDD;  // the row alone fails

}  // namespace escan
