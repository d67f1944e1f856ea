#include "ctl/simulate_options.h"

#include "config/scalars.h"

namespace escan::ctl {

SimulateOptions::SimulateOptions(CLI::App* command) {
  AddFiles(command);
  AddPace(command);
  AddSamples(command);
}

void SimulateOptions::AddFiles(CLI::App* app) {
  app->add_option("--config", command_.config, "Configuration with the cascade")
      ->required()
      ->type_name("FILE");
  app->add_option("--profile", command_.profile, "What the cascade's stages cost on a device")
      ->required()
      ->type_name("FILE");
  app->add_option("--plan", command_.plan, "Plan as YAML, instead of the configuration's")
      ->type_name("FILE");
  app->add_option("--model", command_.model, "Cascade; may be left out if there is only one")
      ->type_name("NAME");
  app->add_option("--devices", command_.devices, "Devices of the profiled kind that plans may name")
      ->type_name("N")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
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
  app->add_option("--exit-ratios", command_.exit_ratios,
                  "Parts of the samples reaching a stage that leave there, for each but the last")
      ->delimiter(',')
      ->type_name("E1,E2,...");
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
