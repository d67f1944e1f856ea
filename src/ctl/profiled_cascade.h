#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "config/config.h"
#include "config/profile_file.h"

namespace escan::ctl {

// Where a cascade and what it costs are written.
struct ProfiledCascadeFiles {
  std::string config;
  std::string profile;
  std::string model;  // may be empty where there is one cascade
  int devices = 1;    // as many as the one that was profiled
};

struct ProfiledCascade {
  Config config;  // with these devices in place of its own
  CascadeConfig cascade;
  Profile profile;
};

// Errors say what is wrong with which file or option; each may have several lines.
absl::StatusOr<ProfiledCascade> LoadProfiledCascade(const ProfiledCascadeFiles& files);

// A plan in a file of its own, for that cascade and those devices.
absl::StatusOr<Plan> LoadPlanFor(const ProfiledCascade& loaded, const std::string& file);

}  // namespace escan::ctl
