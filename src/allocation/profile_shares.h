#pragma once

#include <functional>

#include "contracts/profile.h"

namespace escan {

// The profile without the shares that `keep` does not want; that of the whole device always stays,
// because every profile has it.
Profile KeepShares(const Profile& profile, const std::function<bool(int thread_percent)>& keep);

}  // namespace escan
