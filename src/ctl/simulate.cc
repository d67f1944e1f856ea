#include "ctl/simulate.h"

#include "ctl/simulation_format.h"
#include "simulation/simulation.h"

namespace escan::ctl {

absl::StatusOr<std::string> RunSimulation(const SimulateCommand& command, bool json) {
  const absl::StatusOr<ProfiledCascade> loaded = LoadProfiledCascade(command.files);
  if (!loaded.ok()) return loaded.status();
  const absl::StatusOr<Plan> plan =
      command.plan.empty() ? loaded->cascade.plan : LoadPlanFor(*loaded, command.plan);
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
