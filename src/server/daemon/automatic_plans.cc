#include "server/daemon/automatic_plans.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "allocation/memory.h"
#include "allocation/profile_shares.h"
#include "server/inference/server_state.h"

namespace escan {
namespace {

constexpr double kPriorExitRatio = 0.5;

Workload PriorOf(const CascadeSpec& cascade) {
  Workload prior;
  prior.exit_ratios.assign(cascade.stages.size(), kPriorExitRatio);
  if (cascade.latency_objective.has_value()) prior.objective = *cascade.latency_objective;
  return prior;
}

// The first devices, as many as are like the first one, which was profiled.
int EqualDevices(const std::vector<Device>& devices) {
  const Device& first = devices.front();
  const auto other = std::ranges::find_if_not(devices, [&](const Device& device) {
    return device.kind == first.kind && device.name == first.name &&
           device.multiprocessors == first.multiprocessors;
  });
  return static_cast<int>(other - devices.begin());
}

const Profile* ProfileFor(const CascadeConfig& cascade, const Profiles& profiles) {
  const auto found = profiles.find(cascade.spec.name);
  return cascade.plan_is_auto && found != profiles.end() ? &found->second : nullptr;
}

Profile Usable(const Profile& profile, const Config& config) {
  const bool shares =
      config.devices.front().kind == Device::Kind::kCpu || config.mps.mode != MpsConfig::Mode::kOff;
  // Without MPS nothing keeps a share of a GPU: only the whole one is left.
  return shares ? profile : KeepShares(profile, [](int) { return false; });
}

DeviceUse UseOfOthers(const ModelTable& models, const ServedModel* but, int devices) {
  DeviceUse sum;
  for (const std::shared_ptr<ServedModel>& model : models) {
    if (model.get() != but) sum = sum + UseOf(model->engine->Status(), devices);
  }
  return sum;
}

// What each automatic plan leaves to others before anything is known of theirs: to other automatic
// ones equal parts of the devices; to fixed ones their workers, whose memory is not known.
DeviceUse FirstPart(const Profiles& profiles, const Config& config, const Profile& profile) {
  std::vector<int> fixed(config.devices.size());
  int automatic = 0;
  for (const CascadeConfig& cascade : config.cascades) {
    if (ProfileFor(cascade, profiles) != nullptr) {
      ++automatic;
      continue;
    }
    for (const WorkerGroup& group : cascade.plan.workers) {
      fixed[static_cast<size_t>(group.device)] += group.count;
    }
  }
  const int clients = std::max(kMostClients - *std::ranges::max_element(fixed), 0);
  const double others = 1 - 1.0 / automatic;
  return {.clients = kMostClients - clients / automatic,
          .memory_bytes = static_cast<size_t>(others * kUsableMemory *
                                              static_cast<double>(profile.device_memory_bytes))};
}

}  // namespace

void SetFirstPlans(const Profiles& profiles, Config* config) {
  for (CascadeConfig& cascade : config->cascades) {
    const Profile* const profile = ProfileFor(cascade, profiles);
    if (profile == nullptr) continue;
    const Profile usable = Usable(*profile, *config);
    const DeviceUse others = FirstPart(profiles, *config, usable);
    const absl::StatusOr<FoundPlan> found = FindPlan({.profile = ProfileBeside(usable, others),
                                                      .cascade = cascade.spec,
                                                      .workload = PriorOf(cascade.spec),
                                                      .devices = EqualDevices(config->devices),
                                                      .limits = LimitsBeside(others)});
    if (!found.ok()) {
      spdlog::warn("safe plan served model={} reason=\"{}\"", cascade.spec.name,
                   std::string(found.status().message()));
      continue;
    }
    cascade.plan = found->plan;
    spdlog::info(
        "plan from the profile model={} exit_ratios={} goodput={:.1f} "
        "reason=\"nothing is known of the load yet\"",
        cascade.spec.name, kPriorExitRatio, found->figures.goodput);
  }
}

std::shared_ptr<ControlLoop> MakeControlLoop(const Config& config, const Profiles& profiles,
                                             const ModelTable& models) {
  const int devices = EqualDevices(config.devices);
  std::vector<ControlledCascade> cascades;
  for (const std::shared_ptr<ServedModel>& model : models) {
    const Profile* const profile = ProfileFor(model->config, profiles);
    if (profile == nullptr) continue;
    ControlledCascade& cascade = cascades.emplace_back();
    cascade.spec = model->cascade();
    cascade.profile = Usable(*profile, config);
    cascade.devices = devices;
    cascade.starts_in_turn = config.devices.front().kind == Device::Kind::kCpu;
    cascade.prior = PriorOf(model->cascade());
    cascade.status = [model] { return model->engine->Status(); };
    cascade.set_plan = [model](const Plan& plan) { return model->engine->SetPlan(plan); };
    cascade.others = [models, but = model.get(), devices] {
      return UseOfOthers(models, but, devices);
    };
  }
  return std::make_shared<ControlLoop>(std::move(cascades));
}

}  // namespace escan
