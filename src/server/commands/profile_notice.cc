#include "server/commands/profile_notice.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "config/profile_file.h"

namespace escan {
namespace {

CheckedProfile Without(const CascadeConfig& cascade, std::string reason) {
  if (!cascade.plan_is_auto) return {};
  return {.notice = ProfileNotice{.reason = std::move(reason)}};
}

CheckedProfile Unusable(std::string reason) {
  return {.notice = ProfileNotice{.warning = true, .reason = std::move(reason)}};
}

}  // namespace

CheckedProfile CheckProfile(const CascadeConfig& cascade, const ProfilingSite& site) {
  if (cascade.profile.empty()) return Without(cascade, "the configuration names no profile");
  absl::StatusOr<MeasuredProfile> profile = LoadProfile(cascade.profile, cascade.spec);
  if (absl::IsNotFound(profile.status())) {
    return Without(cascade, absl::StrCat("there is no ", cascade.profile.string()));
  }
  if (!profile.ok()) return Unusable(std::string(profile.status().message()));
  const absl::StatusOr<ProfileKey> present = KeyOf(cascade.spec, site);
  if (!present.ok()) return Unusable(std::string(present.status().message()));
  if (const std::optional<std::string> stale = StaleReason(profile->key, *present)) {
    return Unusable(absl::StrCat(cascade.profile.string(), ": ", *stale));
  }
  return {.profile = std::move(profile->profile)};
}

}  // namespace escan
