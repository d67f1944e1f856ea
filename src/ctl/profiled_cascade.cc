#include "ctl/profiled_cascade.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/files.h"

namespace escan::ctl {
namespace {

absl::StatusOr<CascadeConfig> FindCascade(const Config& config, const std::string& model) {
  const std::vector<CascadeConfig>& cascades = config.cascades;
  if (model.empty() && cascades.size() == 1) return cascades.front();
  const auto found = std::ranges::find_if(
      cascades, [&](const CascadeConfig& cascade) { return cascade.spec.name == model; });
  if (found != cascades.end()) return *found;
  const std::string names = absl::StrJoin(
      cascades, ", ",
      [](std::string* out, const CascadeConfig& cascade) { out->append(cascade.spec.name); });
  return absl::InvalidArgumentError(
      model.empty()
          ? absl::StrCat("there are several cascades, expected --model with one of ", names)
          : absl::StrCat("there is no cascade ", model, ", expected one of ", names));
}

}  // namespace

absl::StatusOr<ProfiledCascade> LoadProfiledCascade(const ProfiledCascadeFiles& files) {
  const absl::StatusOr<Device> device = LoadProfiledDevice(files.profile);
  if (!device.ok()) return device.status();
  absl::StatusOr<Config> config =
      LoadConfigFor(files.config, std::vector<Device>(static_cast<size_t>(files.devices), *device));
  if (!config.ok()) return config.status();
  absl::StatusOr<CascadeConfig> cascade = FindCascade(*config, files.model);
  if (!cascade.ok()) return cascade.status();
  absl::StatusOr<MeasuredProfile> measured = LoadProfile(files.profile, cascade->spec);
  if (!measured.ok()) return measured.status();
  return ProfiledCascade{*std::move(config), *std::move(cascade), std::move(measured->profile)};
}

absl::StatusOr<Plan> LoadPlanFor(const ProfiledCascade& loaded, const std::string& file) {
  const absl::StatusOr<std::string> yaml = ReadFile(file);
  if (!yaml.ok()) return yaml.status();
  return ParsePlan(*yaml, file,
                   {.cascade = loaded.cascade.spec,
                    .devices = loaded.config.devices,
                    .mps = loaded.config.mps.mode});
}

}  // namespace escan::ctl
