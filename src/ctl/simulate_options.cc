#include "ctl/simulate_options.h"

#include "config/scalars.h"
#include "ctl/search_plan_options.h"

namespace escan::ctl {

SimulateOptions::SimulateOptions(CLI::App* command) {
  AddFiles(command);
  AddPace(command);
  AddSamples(command);
}

void SimulateOptions::AddFiles(CLI::App* app) {
  AddProfiledCascadeFiles(app, &command_.files);
  app->add_option("--plan", command_.plan, "Plan as YAML, instead of the configuration's")
      ->type_name("FILE");
}

void SimulateOptions::AddPace(CLI::App* app) {
  rate_ = app->add_option("--rate", open_.rate, "Open loop: requests per second")->type_name("R");
  app->add_option("--arrivals", arrivals_, "Open loop: how requests are spaced")
      ->check(CLI::IsMember(
          {std::string(Name(Arrivals::kPoisson)), std::string(Name(Arrivals::kConstant))}))
      ->needs(rate_)
      ->capture_default_str();
  concurrency_ =
      app->add_option("--concurrency", closed_.concurrency,
                      "Closed loop, instead of --rate: requests under way at the same time")
          ->type_name("N")
          ->excludes(rate_);
}

void SimulateOptions::AddSamples(CLI::App* app) {
  SimulatedLoad& load = command_.load;
  AddExitRatios(app, &command_.exit_ratios);
  app->add_option("--rows", load.rows, "Samples in a request")
      ->type_name("N")
      ->capture_default_str();
  app->add_option("--samples", load.samples, "Samples to measure")
      ->type_name("N")
      ->capture_default_str();
  app->add_option("--warmup-samples", load.warmup_samples, "Samples before these")
      ->type_name("N")
      ->capture_default_str();
  app->add_option("--seed", load.seed, "Seed of arrivals and exits")
      ->type_name("N")
      ->capture_default_str();
  AddDuration(app, "--deadline", &load.deadline, "Of a request (that of the cascade)");
  AddDuration(app, "--overhead", &load.overhead, "Of the front end, in every latency (0s)");
}

void SimulateOptions::AddDuration(CLI::App* app, const std::string& name, Duration* value,
                                  const std::string& help) {
  const auto parse = [name, value](const std::string& text) {
    const absl::StatusOr<Duration> duration = ParseDuration(text);
    if (!duration.ok()) {
      throw CLI::ValidationError(name, std::string(duration.status().message()));
    }
    *value = *duration;
  };
  app->add_option_function<std::string>(name, parse, help)->type_name("DURATION");
}

SimulateCommand SimulateOptions::Command() const {
  SimulateCommand command = command_;
  if (concurrency_->count() > 0) {
    command.load.pace = closed_;
  } else if (rate_->count() > 0) {
    OpenLoad open = open_;
    if (arrivals_ == Name(Arrivals::kConstant)) open.arrivals = Arrivals::kConstant;
    command.load.pace = open;
  } else {
    throw CLI::RequiredError("--rate or --concurrency");
  }
  return command;
}

}  // namespace escan::ctl
