#include "ctl/search_plan_options.h"

#include <string>

#include "config/scalars.h"

namespace escan::ctl {

void AddProfiledCascadeFiles(CLI::App* app, ProfiledCascadeFiles* files) {
  app->add_option("--config", files->config, "Configuration with the cascade")
      ->required()
      ->type_name("FILE");
  app->add_option("--profile", files->profile, "What the cascade's stages cost on a device")
      ->required()
      ->type_name("FILE");
  app->add_option("--model", files->model, "Cascade; may be left out if there is only one")
      ->type_name("NAME");
  app->add_option("--devices", files->devices, "Devices of the profiled kind that there are")
      ->type_name("N")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
}

void AddExitRatios(CLI::App* app, std::vector<double>* exit_ratios) {
  app->add_option("--exit-ratios", *exit_ratios,
                  "Parts of the samples reaching a stage that leave there, for each but the last")
      ->delimiter(',')
      ->type_name("E1,E2,...");
}

namespace {

void AddRows(CLI::App* app, int* rows) {
  app->add_option("--rows", *rows, "Samples in a request")
      ->type_name("N")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
}

}  // namespace

void AddPlanPredictOptions(CLI::App* app, PlanPredictCommand* command) {
  AddProfiledCascadeFiles(app, &command->files);
  app->add_option("--plan", command->plans, "Plans as YAML")
      ->required()
      ->delimiter(',')
      ->type_name("FILE,...");
  AddExitRatios(app, &command->exit_ratios);
  AddRows(app, &command->rows);
  app->add_option("--limit", command->limit,
                  "max_batch of every stage instead of the plans', or its largest bucket if less")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
}

void AddPlanSearchOptions(CLI::App* app, PlanSearchCommand* command) {
  AddProfiledCascadeFiles(app, &command->files);
  AddExitRatios(app, &command->exit_ratios);
  app->add_option("--rate", command->rate,
                  "Samples per second: of the plans that carry 1.2 times as many and keep the "
                  "objective the one of least p99; without it the one of the highest rate")
      ->type_name("R")
      ->check(CLI::PositiveNumber);
  AddRows(app, &command->rows);
  const auto parse = [command](const std::string& text) {
    const absl::StatusOr<Duration> duration = ParseDuration(text);
    if (!duration.ok()) {
      throw CLI::ValidationError("--objective", std::string(duration.status().message()));
    }
    command->objective = *duration;
  };
  app->add_option_function<std::string>("--objective", parse,
                                        "p99 of the requests (the cascade's latency_objective)")
      ->type_name("DURATION");
  app->add_option("--output", command->output, "Write the plan as YAML to this file")
      ->type_name("FILE");
}

}  // namespace escan::ctl
