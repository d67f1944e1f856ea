#pragma once

#include <optional>
#include <string>

#include "config/config.h"
#include "profiling/profile_outline.h"

namespace escan {

// Why a cascade is not served by its profile, for the log.
struct ProfileNotice {
  bool warning = false;  // there is a profile, and it cannot be used
  std::string reason;
};

// Reads the profile, and where there is one the models. Nothing where a plan without a profile was
// chosen, or the profile holds at `site`.
std::optional<ProfileNotice> NoticeOf(const CascadeConfig& cascade, const ProfilingSite& site);

}  // namespace escan
