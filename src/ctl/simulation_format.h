#pragma once

#include <string>

#include "simulation/simulation.h"

namespace escan::ctl {

// A simulation's report as text for people; every line ends with a line break.
std::string FormatSimulation(const SimulatedSystem& system, const SimulatedLoad& load,
                             const SimulationReport& report);

// The same as JSON; names end in their units.
std::string FormatSimulationJson(const SimulatedSystem& system, const SimulatedLoad& load,
                                 const SimulationReport& report);

}  // namespace escan::ctl
