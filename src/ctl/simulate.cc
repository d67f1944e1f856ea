#include "ctl/simulate.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/config.h"
#include "config/files.h"
#include "config/profile_file.h"
#include "ctl/simulation_format.h"
#include "simulation/simulation.h"

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

absl::StatusOr<Plan> FindPlan(const SimulateCommand& command, const Config& config,
                              const CascadeConfig& cascade) {
  if (command.plan.empty()) return cascade.plan;
  const absl::StatusOr<std::string> yaml = ReadFile(command.plan);
  if (!yaml.ok()) return yaml.status();
  return ParsePlan(*yaml, command.plan,
                   {.cascade = cascade.spec, .devices = config.devices, .mps = config.mps.mode});
}

}  // namespace

absl::StatusOr<std::string> RunSimulation(const SimulateCommand& command, bool json) {
  const absl::StatusOr<Device> device = LoadProfiledDevice(command.profile);
  if (!device.ok()) return device.status();
  const absl::StatusOr<Config> config = LoadConfigFor(
      command.config, std::vector<Device>(static_cast<size_t>(command.devices), *device));
  if (!config.ok()) return config.status();
  const absl::StatusOr<CascadeConfig> cascade = FindCascade(*config, command.model);
  if (!cascade.ok()) return cascade.status();
  const absl::StatusOr<Plan> plan = FindPlan(command, *config, *cascade);
  if (!plan.ok()) return plan.status();
  const absl::StatusOr<MeasuredProfile> measured = LoadProfile(command.profile, cascade->spec);
  if (!measured.ok()) return measured.status();

  SimulatedLoad load = command.load;
  load.exits = {{.ratios = command.exit_ratios}};
  const SimulatedSystem system{
      .cascade = cascade->spec, .plan = *plan, .profile = measured->profile};
  const absl::StatusOr<SimulationReport> report = Simulate(system, load);
  if (!report.ok()) return report.status();
  return json ? FormatSimulationJson(system, load, *report)
              : FormatSimulation(system, load, *report);
}

}  // namespace escan::ctl
