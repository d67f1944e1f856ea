#pragma once

#include <optional>
#include <string>

#include "config/config.h"
#include "contracts/profile.h"
#include "profiling/profile_outline.h"

namespace escan {

// Why a cascade is not served by its profile, for the log.
struct ProfileNotice {
  bool warning = false;  // there is a profile, and it cannot be used
  std::string reason;
};

struct CheckedProfile {
  std::optional<Profile> profile;       // that holds at the site
  std::optional<ProfileNotice> notice;  // where there is none; absent also for a plan that was
                                        // chosen without one
};

// Reads the profile, and where there is one the models.
CheckedProfile CheckProfile(const CascadeConfig& cascade, const ProfilingSite& site);

}  // namespace escan
