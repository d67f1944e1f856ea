#pragma once

#include <CLI/CLI.hpp>

#include "ctl/predict_plan.h"
#include "ctl/search_plan.h"

namespace escan::ctl {

// Where a cascade and its profile are, in `app`'s options; for all commands that need no daemon.
void AddProfiledCascadeFiles(CLI::App* app, ProfiledCascadeFiles* files);

// --exit-ratios of those commands.
void AddExitRatios(CLI::App* app, std::vector<double>* exit_ratios);

// The options of `escanctl plan search`. `command` outlives the parsing of the command line.
void AddPlanSearchOptions(CLI::App* app, PlanSearchCommand* command);
// Those of `escanctl plan predict`, likewise.
void AddPlanPredictOptions(CLI::App* app, PlanPredictCommand* command);

}  // namespace escan::ctl
