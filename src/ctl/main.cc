// escanctl: the operator's command line. Ends with 0; with 1 when the daemon refused or is not
// ready; with 2 when no daemon answered or the command line or a file is wrong.

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "ctl/admin_client.h"
#include "ctl/commands.h"
#include "ctl/search_plan_options.h"
#include "ctl/simulate_options.h"
#include "process/standard_descriptors.h"

namespace escan::ctl {
namespace {

// Long enough to load, warm up and drain workers.
constexpr absl::Duration kPlanChangeTimeout = absl::Minutes(5);
constexpr absl::Duration kTimeout = absl::Seconds(10);

class CommandLine {
 public:
  explicit CommandLine(const char* default_address) : address_(default_address) {
    app_.set_version_flag("--version", "escanctl " ESCAN_VERSION);
    app_.require_subcommand(1);
    app_.add_option("--admin", address_, "Admin address of the daemon (or set ESCAN_ADMIN)")
        ->type_name("ADDRESS")
        ->capture_default_str();
    app_.add_option_function<std::string>(
            "--timeout",
            [this](const std::string& text) { timeout_ = ParseDuration("--timeout", text); },
            "How long to wait for an answer (10s; 5m for plan set)")
        ->type_name("DURATION");
    app_.add_flag("--json", json_, "Show the answer as JSON");
    AddCommands();
  }

  int Run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? kDone : kUnreachable;
    }
    const bool slow = std::holds_alternative<PlanSetCommand>(command_);
    AdminClient client(address_);
    const CommandResult result =
        Execute(command_, client, timeout_.value_or(slow ? kPlanChangeTimeout : kTimeout), json_);
    std::cout << result.output << std::flush;
    if (!result.error.empty()) std::cerr << "escanctl: " << result.error << "\n";
    return result.exit_status;
  }

 private:
  static absl::Duration ParseDuration(const std::string& option, const std::string& text) {
    absl::Duration duration;
    if (!absl::ParseDuration(text, &duration) || duration <= absl::ZeroDuration()) {
      throw CLI::ValidationError(option, "'" + text + "' is not a duration, as 10s is");
    }
    return duration;
  }

  void ParseThresholds(const std::vector<std::string>& texts) {
    ThresholdsSetCommand& command = thresholds_;
    for (const std::string& text : texts) {
      const absl::StatusOr<std::pair<std::string, float>> threshold = ParseThreshold(text);
      if (!threshold.ok()) {
        throw CLI::ValidationError("thresholds set", std::string(threshold.status().message()));
      }
      if (!command.thresholds.insert(*threshold).second) {
        throw CLI::ValidationError("thresholds set",
                                   "stage '" + threshold->first + "' is named twice");
      }
    }
  }

  // A command under `parent` that becomes the one to run when it is named.
  template <typename CommandType>
  CLI::App* AddCommand(CLI::App& parent, const std::string& name, const std::string& help,
                       const CommandType* command) {
    return parent.add_subcommand(name, help)->fallthrough()->callback([this, command] {
      command_ = *command;
    });
  }

  static void AddModel(CLI::App* command, std::string* model) {
    command->add_option("--model", *model, "Cascade; may be left out if there is only one")
        ->type_name("NAME");
  }

  void AddCommands() {
    AddCommand(app_, "status", "What the daemon serves, does and measured", &status_);
    AddCommand(app_, "top",
               "Rates, queues and workers, again and again until q is pressed; once where the "
               "output is no terminal",
               &top_)
        ->add_option_function<std::string>(
            "--interval",
            [this](const std::string& text) { top_.interval = ParseDuration("--interval", text); },
            "From one screen to the next (2s)")
        ->type_name("DURATION");
    AddCommand(app_, "health", "Ends with 0 if ready, 1 if not, 2 if no daemon answers", &health_);

    AddPlanCommands();
    AddThresholdCommands();

    CLI::App* drain =
        AddCommand(app_, "drain",
                   "Ends the daemon as SIGTERM does: after the grace period no new requests, "
                   "then the end once those inside are answered",
                   &drain_);
    drain->add_flag("--wait", drain_.wait, "Until the daemon has ended");

    simulate_->fallthrough()->callback([this] { command_ = simulate_options_.Command(); });
  }

  void AddPlanCommands() {
    CLI::App& plan = *app_.add_subcommand("plan", "Which workers host which stages");
    plan.require_subcommand(1)->fallthrough();
    AddModel(AddCommand(plan, "show", "The plan in effect, as YAML", &plan_show_),
             &plan_show_.model);
    CLI::App* set =
        AddCommand(plan, "set", "Puts a plan into effect; freezes an automatic one", &plan_set_);
    AddModel(set, &plan_set_.model);
    set->add_option("FILE", plan_set_.file, "Plan as YAML; - is standard input")
        ->required()
        ->type_name("");

    AddModel(AddCommand(plan, "freeze", "Keeps an automatic plan as it is", &plan_freeze_),
             &plan_freeze_.model);
    AddModel(AddCommand(plan, "thaw", "Lets a frozen plan follow the load again", &plan_thaw_),
             &plan_thaw_.model);
    AddModel(
        AddCommand(plan, "history", "When a better plan was looked for, why, and what came of it",
                   &plan_history_),
        &plan_history_.model);

    AddPlanSearchOptions(
        AddCommand(plan, "search", "The best plan for a load, from a profile; needs no daemon",
                   &plan_search_),
        &plan_search_);

    AddPlanPredictOptions(
        AddCommand(plan, "predict",
                   "How many samples plans can take, from a profile; needs no daemon",
                   &plan_predict_),
        &plan_predict_);
  }

  void AddThresholdCommands() {
    CLI::App& thresholds = *app_.add_subcommand("thresholds", "When samples exit early");
    thresholds.require_subcommand(1)->fallthrough();
    CLI::App* change =
        AddCommand(thresholds, "set", "Changes exit thresholds at once, all or none", &thresholds_);
    AddModel(change, &thresholds_.model);
    change
        ->add_option_function<std::vector<std::string>>(
            "STAGE=VALUE",
            [this](const std::vector<std::string>& texts) { ParseThresholds(texts); },
            "New thresholds")
        ->required()
        ->type_name("");
  }

  CLI::App app_{"Shows and changes what a running escand does, and simulates it.", "escanctl"};
  std::string address_;
  std::optional<absl::Duration> timeout_;
  bool json_ = false;

  StatusCommand status_;
  TopCommand top_;
  HealthCommand health_;
  PlanShowCommand plan_show_;
  PlanSetCommand plan_set_;
  PlanFreezeCommand plan_freeze_;
  PlanThawCommand plan_thaw_;
  PlanHistoryCommand plan_history_;
  PlanSearchCommand plan_search_;
  PlanPredictCommand plan_predict_;
  ThresholdsSetCommand thresholds_;
  DrainCommand drain_;
  CLI::App* simulate_ = app_.add_subcommand(
      "simulate", "How a plan would serve a load, from a profile; needs no daemon");
  SimulateOptions simulate_options_{simulate_};
  Command command_;
};

}  // namespace
}  // namespace escan::ctl

int main(int argc, char** argv) {
  escan::OpenStandardDescriptors();
  const char* address = std::getenv("ESCAN_ADMIN");
  return escan::ctl::CommandLine(address != nullptr ? address : "unix:/run/escan/admin.sock")
      .Run(argc, argv);
}
