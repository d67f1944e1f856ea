#include "server/profile_notice.h"

#include "absl/strings/str_cat.h"
#include "config/profile_file.h"

namespace escan {
namespace {

std::optional<ProfileNotice> SafePlanNotice(const CascadeConfig& cascade, std::string reason) {
  if (!cascade.plan_is_auto) return std::nullopt;
  return ProfileNotice{.reason = std::move(reason)};
}

}  // namespace

std::optional<ProfileNotice> NoticeOf(const CascadeConfig& cascade, const ProfilingSite& site) {
  if (cascade.profile.empty()) return SafePlanNotice(cascade, "the configuration names no profile");
  const absl::StatusOr<MeasuredProfile> profile = LoadProfile(cascade.profile, cascade.spec);
  if (absl::IsNotFound(profile.status())) {
    return SafePlanNotice(cascade, absl::StrCat("there is no ", cascade.profile.string()));
  }
  if (!profile.ok()) {
    return ProfileNotice{.warning = true, .reason = std::string(profile.status().message())};
  }
  const absl::StatusOr<ProfileKey> present = KeyOf(cascade.spec, site);
  if (!present.ok()) {
    return ProfileNotice{.warning = true, .reason = std::string(present.status().message())};
  }
  std::optional<std::string> stale = StaleReason(profile->key, *present);
  if (!stale.has_value()) return std::nullopt;
  return ProfileNotice{.warning = true,
                       .reason = absl::StrCat(cascade.profile.string(), ": ", *std::move(stale))};
}

}  // namespace escan
