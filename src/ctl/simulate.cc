#include "ctl/simulate.h"

#include "config/config.h"
#include "config/files.h"
#include "ctl/simulation_format.h"
#include "simulation/simulation.h"

namespace escan::ctl {
namespace {

absl::StatusOr<Plan> FindPlan(const SimulateCommand& command, const ProfiledCascade& loaded) {
  if (command.plan.empty()) return loaded.cascade.plan;
  const absl::StatusOr<std::string> yaml = ReadFile(command.plan);
  if (!yaml.ok()) return yaml.status();
  return ParsePlan(*yaml, command.plan,
                   {.cascade = loaded.cascade.spec,
                    .devices = loaded.config.devices,
                    .mps = loaded.config.mps.mode});
}

}  // namespace

absl::StatusOr<std::string> RunSimulation(const SimulateCommand& command, bool json) {
  const absl::StatusOr<ProfiledCascade> loaded = LoadProfiledCascade(command.files);
  if (!loaded.ok()) return loaded.status();
  const absl::StatusOr<Plan> plan = FindPlan(command, *loaded);
  if (!plan.ok()) return plan.status();

  SimulatedLoad load = command.load;
  load.exits = {{.ratios = command.exit_ratios}};
  const SimulatedSystem system{
      .cascade = loaded->cascade.spec, .plan = *plan, .profile = loaded->profile};
  const absl::StatusOr<SimulationReport> report = Simulate(system, load);
  if (!report.ok()) return report.status();
  return json ? FormatSimulationJson(system, load, *report)
              : FormatSimulation(system, load, *report);
}

}  // namespace escan::ctl
